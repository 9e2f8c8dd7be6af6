import { type Authority, formatAuthority, parseAuthority, parseListen } from '@manypath/core';
import { preferredCongestion } from '@manypath/mptcp';
import { setServerLimits } from '@manypath/paths';
import { type Relay, type RelayOptions, startRelay } from '@manypath/relay';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { createLogger } from '../terminal/log.ts';
import { untilSignal } from '../until-signal.ts';

interface RelayCommandOptions extends CommonOptions {
  listen: string;
  public?: string;
  allowPrivate: boolean;
  congestion?: string;
  cert?: string;
  key?: string;
  logHosts: boolean;
}

/** IPv6 and IPv4. */
const everywhere: Authority = { host: '::', port: 8443 };

/** `manypath relay`: what runs on the VPS. */
export function addRelayCommand(program: Command): void {
  withCommonOptions(program.command('relay'))
    .summary('run the relay, on a server that both of your links can reach')
    .description(
      'Takes MPTCP connections from gateways and dials origins for them.\n' +
        'Prints a pairing URL: give it to `manypath browse --relay` or `manypath up --relay`.\n' +
        'The pairing stays the same after a restart. The relay is a standard forward proxy over\n' +
        'TLS 1.3 (user manypath), so curl and other programs can use it too.',
    )
    .option('--listen <host:port>', 'where to listen, or a port alone', '[::]:8443')
    .option('--public <host[:port]>', 'how gateways reach this relay (default: the address of this host)')
    .option('--allow-private', 'also dial loopback, private, link-local and metadata addresses', false)
    .option('--cert <file>', 'a real certificate (PEM, with its chain); then no pin is needed')
    .option('--key <file>', 'the key of that certificate (PEM)')
    .option(
      '--congestion <name>',
      'congestion control towards gateways (default: cubic where the kernel has bbr)',
    )
    .option('--log-hosts', 'write the hosts that are dialled to the log', false)
    .action(runRelay);
}

async function runRelay(options: RelayCommandOptions): Promise<void> {
  const signalled = untilSignal();
  const events = new EventOutput(options.json);
  const logger = createLogger(options.logLevel, options.json);
  const stateDir = stateFolder(options.state);
  const restoreLimits = await setServerLimits({ stateDir, logger });
  try {
    const relay = await startRelay({ ...relayOptions(options), stateDir, logger });
    events.emit({
      event: 'ready',
      listen: relay.address,
      pairing: relay.pairing,
      multipath: relay.withoutMultipath === null,
    });
    if (relay.withoutMultipath !== null) {
      logger.warn({}, `every client gets one path: ${relay.withoutMultipath} Then start the relay again.`);
    }
    if (!events.enabled) process.stdout.write(readyText(relay));
    await signalled;
    await relay.close();
  } finally {
    await restoreLimits();
  }
}

function relayOptions(options: RelayCommandOptions): Omit<RelayOptions, 'stateDir'> {
  const listen = parseListen(options.listen, everywhere);
  const congestion = options.congestion ?? preferredCongestion();
  const { cert, key, allowPrivate, logHosts } = options;
  return {
    listen,
    allowPrivate,
    logHosts,
    ...(options.public === undefined ? {} : { publicHost: parseAuthority(options.public, listen.port) }),
    ...(congestion === undefined ? {} : { congestion }),
    ...(cert === undefined || key === undefined ? {} : { certificate: { cert, key } }),
  };
}

function readyText({ address, pairing }: Relay): string {
  return `The relay listens on ${formatAuthority(address)}. On your laptop run:\n\n  manypath browse --relay '${pairing}'\n\n`;
}
