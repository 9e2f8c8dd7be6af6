import { resolve } from 'node:path';
import type { Authority } from '@manypath/core';
import { relayLimits } from '@manypath/relay';
import type { Command } from 'commander';
import { numberFrom } from '../terminal/option-values.ts';

/** What a relay is told about how to serve. */
export interface RelayServerOptions {
  listen: string;
  public?: string;
  allowPrivate: boolean;
  congestion?: string;
  cert?: string;
  key?: string;
  logHosts: boolean;
  drain: number;
}

/** IPv6 and IPv4. */
export const everywhere: Authority = { host: '::', port: 8443 };

/** Gives a command the options of a relay. */
export function withRelayServerOptions(command: Command): Command {
  return command
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
    .option(
      '--drain <seconds>',
      'how long connections may go on when the relay is told to end',
      numberFrom(0, mostDrainSeconds),
      defaultDrainSeconds,
    );
}

const defaultDrainSeconds = relayLimits.closeGraceMs / 1000;
const mostDrainSeconds = 86_400;

/** The certificate that was named, by absolute paths. Ends the program with an error when half of it is missing. */
export function certificateOf(
  { cert, key }: RelayServerOptions,
  command: Command,
): { cert: string; key: string } | undefined {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    return command.error('error: --cert and --key go together: the certificate, and its private key');
  }
  return { cert: resolve(cert), key: resolve(key) };
}

/** The same options as words of a command line, but for the certificate. */
export function relayArguments(options: RelayServerOptions): string[] {
  const { listen, public: publicHost, congestion } = options;
  return [
    '--listen',
    listen,
    ...(publicHost === undefined ? [] : ['--public', publicHost]),
    ...(congestion === undefined ? [] : ['--congestion', congestion]),
    ...(options.allowPrivate ? ['--allow-private'] : []),
    ...(options.logHosts ? ['--log-hosts'] : []),
    ...(options.drain === defaultDrainSeconds ? [] : ['--drain', String(options.drain)]),
  ];
}
