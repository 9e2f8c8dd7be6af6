import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseAuthority, parseListen, systemClock } from '@manypath/core';
import { pairingFile, readPairing } from '@manypath/relay';
import type { Command } from 'commander';
import {
  installRelay,
  relayStateDir,
  relayText,
  systemPlaces,
  uninstall,
  uninstallText,
} from '../install/index.ts';
import { NoPairingError } from '../pairing/index.ts';
import { stateFolder } from '../state-folder.ts';
import { EventOutput } from '../terminal/events.ts';
import { withOwnCommand } from '../terminal/own-command.ts';
import {
  certificateOf,
  everywhere,
  type RelayServerOptions,
  relayArguments,
  withRelayServerOptions,
} from './relay-options.ts';

interface RelayInstallCommandOptions extends RelayServerOptions {
  dryRun: boolean;
  json: boolean;
}

/** `manypath relay install`, `uninstall` and `pairing`: a relay that runs for good. */
export function addRelayServiceCommands(relay: Command): void {
  withRelayServerOptions(relay.command('install'))
    .summary('run the relay from now on, as a service of the system')
    .description(
      'Writes a unit of systemd that runs the relay as a user of its own, starts it now and\n' +
        'at every boot, and prints its pairing. May be repeated, with other options and after\n' +
        'an upgrade: the pairing stays the same. Needs root.',
    )
    .option('--dry-run', 'only say what would be done', false)
    .option('--json', 'print one JSON object a line on stdout', false)
    .action(runInstall);
  relay
    .command('uninstall')
    .summary('end that service; its key and secret stay')
    .option('--dry-run', 'only say what would be removed', false)
    .option('--json', 'print one JSON object a line on stdout', false)
    .action(runUninstall);
  relay
    .command('pairing')
    .summary('print the pairing of the relay of this machine')
    .option('--state <dir>', 'state folder of the relay (default: that of the service, else your own)')
    .option('--json', 'print one JSON object', false)
    .action(runPairing);
}

async function runInstall(options: RelayInstallCommandOptions, command: Command): Promise<void> {
  const { dryRun } = options;
  const { port } = parseListen(options.listen, everywhere);
  if (options.public !== undefined) parseAuthority(options.public, port);
  const certificate = certificateOf(options, command);
  const places = systemPlaces();
  // What the relay writes when it has started is what it was started with.
  if (!dryRun && process.getuid?.() === 0) rmSync(pairingFile(relayStateDir), { force: true });
  const installation = installRelay({
    places,
    options: relayArguments(options),
    port,
    certificate,
    drainSeconds: options.drain,
    dryRun,
  });
  const started = installation.service.state === 'started';
  const pairing = started ? await pairingOnceThere(relayStateDir) : undefined;
  const events = new EventOutput(options.json);
  const { files, program, service, record } = installation;
  for (const file of files) events.emit({ event: 'file', ...file });
  if (program.copy !== null) events.emit({ event: 'copy', folder: program.copy, reason: program.reason });
  events.emit({ event: 'service', ...service });
  events.emit({ event: 'installed', dryRun, pairing: pairing ?? null, record });
  if (!events.enabled) process.stdout.write(withOwnCommand(relayText(installation, { dryRun, pairing })));
}

/** How long a relay that was started is given to say how it is reached, in milliseconds. */
const startMs = 15_000;
const lookMs = 100;

async function pairingOnceThere(stateDir: string): Promise<string | undefined> {
  const giveUpAt = systemClock.now() + startMs;
  while (systemClock.now() < giveUpAt) {
    const pairing = readPairing(stateDir);
    if (pairing !== undefined) return pairing;
    await new Promise<void>(resolve => systemClock.after(lookMs, resolve));
  }
  return undefined;
}

function runUninstall({ dryRun, json }: { dryRun: boolean; json: boolean }): void {
  const removed = uninstall({ places: systemPlaces(), kind: 'relay', dryRun });
  const events = new EventOutput(json);
  for (const path of removed.files) events.emit({ event: 'removed', path });
  events.emit({ event: 'uninstalled', dryRun, folders: removed.folders });
  if (!events.enabled) process.stdout.write(uninstallText(removed, 'relay', dryRun));
}

function runPairing({ state, json }: { state?: string; json: boolean }): void {
  const service = join(relayStateDir, '.');
  const stateDir = state ?? (existsSync(service) ? relayStateDir : stateFolder(undefined));
  const pairing = readPairing(stateDir);
  if (pairing === undefined) {
    throw new NoPairingError(
      `a relay makes it when it starts; ${stateDir} was looked into: name another folder with --state`,
    );
  }
  process.stdout.write(json ? `${JSON.stringify({ event: 'pairing', pairing })}\n` : `${pairing}\n`);
}
