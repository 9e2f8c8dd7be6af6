import {
  addressScope,
  formatAuthority,
  type Logger,
  parseAuthority,
  parseIpAddress,
  parseListen,
  parsePairing,
} from '@manypath/core';
import { preferredCongestion } from '@manypath/mptcp';
import { setServerLimits } from '@manypath/paths';
import { type Relay, type RelayOptions, startRelay } from '@manypath/relay';
import type { Command } from 'commander';
import { BackgroundFailures } from '../background-failures.ts';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { createLogger } from '../terminal/log.ts';
import { withOwnCommand } from '../terminal/own-command.ts';
import { surviveTerminal, untilSignal } from '../until-signal.ts';
import { addRelayServiceCommands } from './relay-install.ts';
import {
  certificateOf,
  everywhere,
  type RelayServerOptions,
  withRelayServerOptions,
} from './relay-options.ts';

interface RelayCommandOptions extends CommonOptions, RelayServerOptions {}

/** `manypath relay`: what runs on the VPS. */
export function addRelayCommand(program: Command): void {
  const relay = withRelayServerOptions(withCommonOptions(program.command('relay')))
    .summary('run the relay, on a server that both of your links can reach')
    .description(
      'Takes MPTCP connections from gateways and dials origins for them.\n' +
        'Prints a pairing URL: paste it into `manypath pair` on your laptop. It is a secret.\n' +
        'The pairing stays the same after a restart, and logging out does not end the relay.\n' +
        'It is a standard forward proxy over TLS 1.3 (user manypath), so curl and other\n' +
        'programs can use it too.',
    )
    .action(runRelay);
  addRelayServiceCommands(relay);
}

async function runRelay(options: RelayCommandOptions, command: Command): Promise<void> {
  const certificate = certificateOf(options, command);
  surviveTerminal();
  const signalled = untilSignal(['SIGINT', 'SIGTERM']);
  const events = new EventOutput(options.json);
  const logger = createLogger(options.logLevel, options.json);
  const failures = BackgroundFailures.watch(logger);
  const stateDir = stateFolder(options.state);
  const restoreLimits = await setServerLimits({ stateDir, logger });
  failures.beforeEnd(restoreLimits);
  try {
    const relay = await startRelay({ ...relayOptions(options, certificate), stateDir, logger });
    events.emit({
      event: 'ready',
      listen: relay.address,
      pairing: relay.pairing,
      multipath: relay.withoutMultipath === null,
    });
    if (relay.withoutMultipath !== null) {
      logger.warn({}, `every client gets one path: ${relay.withoutMultipath}`);
    }
    if (!events.enabled) process.stdout.write(withOwnCommand(readyText(relay)));
    hintAtPublicAddress(relay.pairing, options.public, logger);
    await signalled;
    const { tunnels } = relay.status();
    events.emit({ event: 'draining', tunnels, seconds: options.drain });
    if (!events.enabled && tunnels > 0) {
      process.stdout.write(
        `Takes nothing new; ends when ${tunnels === 1 ? 'one connection has' : `${tunnels} connections have`} ended, ` +
          `in ${options.drain} s at the latest.
Once more to end at once.
`,
      );
    }
    await relay.close(options.drain * 1000);
  } finally {
    await restoreLimits();
  }
}

function relayOptions(
  options: RelayCommandOptions,
  certificate: RelayOptions['certificate'],
): Omit<RelayOptions, 'stateDir'> {
  const listen = parseListen(options.listen, everywhere);
  const congestion = options.congestion ?? preferredCongestion();
  const { allowPrivate, logHosts } = options;
  return {
    listen,
    allowPrivate,
    logHosts,
    ...(options.public === undefined ? {} : { publicHost: parseAuthority(options.public, listen.port) }),
    ...(congestion === undefined ? {} : { congestion }),
    ...(certificate === undefined ? {} : { certificate }),
  };
}

function readyText({ address, pairing }: Relay): string {
  return [
    `The relay listens on ${formatAuthority(address)}. On your laptop run`,
    '',
    '  manypath pair',
    '',
    'and paste this line, which is a secret: whoever has it can use this relay.',
    '',
    `  ${pairing}`,
    '',
    '',
  ].join('\n');
}

/** Behind NAT a host does not know by which address it is reached. */
function hintAtPublicAddress(pairing: string, chosen: string | undefined, logger: Logger): void {
  const { host } = parsePairing(pairing).address;
  const isName = host !== 'localhost' && parseIpAddress(host) === undefined;
  if (chosen !== undefined || isName || addressScope(host) === 'public') return;
  logger.warn(
    {},
    `the pairing names ${host}, which is reached from here or this network only: from elsewhere, start it with ` +
      '--public NAME or --public ADDRESS, as others see this host',
  );
}
