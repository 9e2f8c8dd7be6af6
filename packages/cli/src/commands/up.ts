import { defaultListen, parseListen } from '@manypath/core';
import { Gateway } from '@manypath/gateway';
import { type Command, Option } from 'commander';
import { BackgroundFailures } from '../background-failures.ts';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { configPlace, withConfigOption } from '../config/index.ts';
import { offerHelper } from '../helper-offer/index.ts';
import { describePaths, openPaths } from '../open-paths.ts';
import { RelayChoice, withRelayOption } from '../pairing/index.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { createLogger } from '../terminal/log.ts';
import { isHindered, multipathLines } from '../terminal/multipath-text.ts';
import { interfaceNames } from '../terminal/option-values.ts';
import { untilAborted, untilSignal } from '../until-signal.ts';

interface UpOptions extends CommonOptions {
  listen?: string;
  relay?: string | false;
  failover?: 'refuse' | 'straight';
  paths?: string[];
  join: 'measured' | 'at-once';
  config?: string;
}

/** `manypath up`: the gateway alone, for any browser or program. */
export function addUpCommand(program: Command): void {
  withRelayOption(withConfigOption(withCommonOptions(program.command('up'))))
    .summary('run the gateway alone, for any browser or program')
    .description(
      'One port on loopback that speaks HTTP CONNECT, plain HTTP proxying and SOCKS5.\n' +
        'Set it as the proxy of a program, and its connections leave over all your paths:\n' +
        '  curl -x http://127.0.0.1:8118 https://example.org/\n' +
        '  curl -x socks5h://127.0.0.1:8118 https://example.org/',
    )
    .option(
      '--listen <host:port>',
      'where to listen, or a port alone; 0 takes a free one (default: 127.0.0.1:8118)',
    )
    .addOption(
      new Option(
        '--failover <what>',
        'while the relay is away: refuse connections, or let them go straight',
      ).choices(['refuse', 'straight']),
    )
    .option('--paths <names>', 'use only these interfaces, separated by commas', interfaceNames)
    .addOption(
      new Option('--join <when>', 'when a second path joins a connection: when that pays, or always at once')
        .choices(['measured', 'at-once'])
        .default('measured'),
    )
    .action(runUp);
}

async function runUp(options: UpOptions): Promise<void> {
  const signalled = untilSignal();
  const events = new EventOutput(options.json);
  const logger = createLogger(options.logLevel, options.json);
  const failures = BackgroundFailures.watch(logger);
  const stateDir = stateFolder(options.state);
  await offerHelper({ stateDir, json: options.json });
  const opened = await openPaths({
    names: options.paths,
    stateDir,
    logger,
    config: configPlace(options.config),
    relay: RelayChoice.of(options.relay, stateDir, logger),
    failover: options.failover,
    join: options.join,
  });
  failures.beforeEnd(() => opened.close());
  const { paths, config, forGateway } = opened;
  try {
    const listen = options.listen ?? config.listen;
    const gateway = await Gateway.start({
      ...forGateway,
      listen: listen === undefined ? defaultListen : parseListen(listen, defaultListen),
      stateDir,
      logger,
    });
    opened.follow(gateway);
    await Promise.race([signalled, gateway.relaySettled()]);
    const { relay, multipath } = gateway.status();
    events.emit({
      event: 'ready',
      proxy: gateway.proxy,
      paths: paths.status(),
      relay,
      multipath,
    });
    if (!events.enabled) {
      process.stdout.write(
        `Proxy on ${gateway.proxy.host}:${gateway.proxy.port} (HTTP and SOCKS5), ${describePaths(paths)}.\n`,
      );
      if (isHindered(multipath)) process.stdout.write(`${multipathLines(multipath)}\n`);
    }
    await Promise.race([signalled, untilAborted(gateway.stopRequested)]);
    await gateway.close();
  } finally {
    await opened.close();
  }
}
