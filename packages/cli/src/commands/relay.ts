import { parseAuthority } from '@manypath/core';
import { startRelay } from '@manypath/relay';
import type { Command } from 'commander';
import { type CommonOptions, withCommonOptions } from '../program.ts';
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

/** `manypath relay`: what runs on the VPS. */
export function addRelayCommand(program: Command): void {
  withCommonOptions(program.command('relay'))
    .summary('run the relay, on a server that both of your links can reach')
    .description(
      'Takes MPTCP connections from gateways and dials origins for them, with MPTCP or TCP.\n' +
        'Prints a pairing URL: give it to `manypath browse --relay` or `manypath up --relay`.\n' +
        'The pairing stays the same after a restart. The relay is a standard forward proxy over\n' +
        'TLS 1.3 (user manypath), so curl and other programs can use it too.',
    )
    .option('--listen <host:port>', 'where to listen', '0.0.0.0:8443')
    .option('--public <host[:port]>', 'how gateways reach this relay (default: the address of this host)')
    .option('--allow-private', 'also dial loopback, private, link-local and metadata addresses', false)
    .option('--cert <file>', 'a real certificate (PEM, with its chain); then no pin is needed')
    .option('--key <file>', 'the key of that certificate (PEM)')
    .option('--congestion <name>', "congestion control towards gateways (default: the kernel's)")
    .option('--log-hosts', 'write the hosts that are dialled to the log', false)
    .action(runRelay);
}

async function runRelay(options: RelayCommandOptions): Promise<void> {
  const events = new EventOutput(options.json);
  const listen = parseAuthority(options.listen, 8443);
  const relay = await startRelay({
    listen,
    stateDir: stateFolder(options.state),
    allowPrivate: options.allowPrivate,
    logHosts: options.logHosts,
    logger: createLogger(options.logLevel, options.json),
    ...(options.public === undefined ? {} : { publicHost: parseAuthority(options.public, listen.port) }),
    ...(options.congestion === undefined ? {} : { congestion: options.congestion }),
    ...(options.cert === undefined || options.key === undefined
      ? {}
      : { certificate: { cert: options.cert, key: options.key } }),
  });
  events.emit({ event: 'ready', listen: relay.address, pairing: relay.pairing });
  if (!events.enabled) {
    process.stdout.write(
      `Relay listens on ${relay.address.host}:${relay.address.port}. On your laptop run:\n\n` +
        `  manypath browse --relay '${relay.pairing}'\n\n`,
    );
  }
  await untilSignal();
  await relay.close();
}
