import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { debianFlagsFile, type ExtensionAdvice, extensionAdvice } from './extension-advice.ts';
import type { Installation, InstalledFile } from './install.ts';
import type { HelperInstallation } from './install-helper.ts';
import type { RelayInstallation } from './install-relay.ts';
import type { InstallKind } from './record.ts';
import { relayStateDir, relayUnitName } from './relay-unit.ts';
import { enableCommand } from './systemd.ts';
import type { Uninstallation } from './uninstall.ts';

/** For people: what was installed, and what is left for them to do. Prose fits 80 columns; paths have lines alone. */
export function installText(
  installation: Installation,
  { built, dryRun, system }: { built: boolean; dryRun: boolean; system: boolean },
): string {
  const { copy, extension } = installation;
  const lines = writtenLines(installation, dryRun);
  if (copy !== null) lines.push(...copyLines(copy, dryRun));
  lines.push(
    '',
    ...serviceLines(installation.service, { dryRun, system }),
    '',
    'The extension:',
    `  ${extension}`,
  );
  if (!built) lines.push('It is not built yet: npm run build');
  for (const advice of extensionAdvice(installation.targets, extension)) lines.push(...adviceLines(advice));
  lines.push('', `To undo all this: manypath uninstall${system ? ' --system' : ''}`);
  return `${lines.join('\n')}\n`;
}

/** For people: what was installed for the helper, and what is left to do. */
export function helperText(installation: HelperInstallation, dryRun: boolean): string {
  const { program, service, users, command } = installation;
  const lines = writtenLines(installation, dryRun);
  if (program.copy !== null)
    lines.push(...copyLines({ folder: program.copy, reason: program.reason ?? '' }, dryRun));
  lines.push('');
  if (service.state === 'started') {
    lines.push('The helper starts by itself when it is asked for, now and after every boot.');
  } else if (!dryRun) {
    lines.push('The helper was not started:', `  ${service.reason}`);
    lines.push('To start it, and what has to be run at every boot:', `  sudo ${command.join(' ')} &`);
  }
  lines.push(`It serves root and the users with these numbers: ${users.join(', ')}.`);
  lines.push('', 'To undo all this: sudo manypath uninstall --helper');
  return `${lines.join('\n')}\n`;
}

/**
 * For people: what was installed for the relay, and what is left to do.
 *
 * @param pairing What clients are paired with; `undefined` while the relay has not made it.
 */
export function relayText(
  { program, files, service, command }: RelayInstallation,
  { dryRun, pairing }: { dryRun: boolean; pairing: string | undefined },
): string {
  const lines = writtenLines({ files }, dryRun);
  if (program.copy !== null)
    lines.push(...copyLines({ folder: program.copy, reason: program.reason ?? '' }, dryRun));
  if (!dryRun) lines.push('');
  if (service.state === 'started') {
    lines.push(
      'The relay runs, now and after every boot. See how it does with:',
      `  journalctl -u ${relayUnitName}`,
    );
  } else if (!dryRun) {
    lines.push('The relay was not started:', `  ${service.reason}`);
    lines.push('To start it, and what has to be run at every boot:', `  sudo ${command.join(' ')} &`);
  }
  if (pairing !== undefined) {
    lines.push(
      '',
      'On your laptop run',
      '  manypath pair',
      'and paste this line, which is a secret:',
      `  ${pairing}`,
    );
    lines.push('To see it again: sudo manypath relay pairing');
  }
  lines.push('', 'To undo all this: sudo manypath relay uninstall');
  return `${lines.join('\n')}\n`;
}

/** For people: what was removed. */
export function uninstallText(
  { files, folders }: Uninstallation,
  kind: InstallKind,
  dryRun: boolean,
): string {
  if (files.length === 0) return 'Nothing is installed.\n';
  const lines = [dryRun ? 'Would be removed:' : 'Removed:', ...files.map(file => `  ${short(file)}`)];
  if (folders.length > 0) {
    lines.push(dryRun ? 'and these folders, if they are empty then:' : 'and these folders:');
    lines.push(...folders.map(folder => `  ${short(folder)}`));
  }
  if (kind === 'relay' && !dryRun && existsSync(relayStateDir)) {
    lines.push('Key and secret of the relay stay:', `  ${relayStateDir}`);
  }
  if (kind !== 'browsers') return `${lines.join('\n')}\n`;
  lines.push('The extension itself is removed on the extensions page of the browser.');
  if (existsSync(debianFlagsFile)) lines.push('You still have:', `  ${debianFlagsFile}`);
  return `${lines.join('\n')}\n`;
}

function writtenLines({ files }: { files: readonly InstalledFile[] }, dryRun: boolean): string[] {
  return [
    dryRun ? 'Would be written:' : 'Written:',
    ...files.map(({ path, changed }) => `  ${short(path)}${changed ? '' : ' (as it was)'}`),
  ];
}

function copyLines({ folder, reason }: { folder: string; reason: string }, dryRun: boolean): string[] {
  return [
    dryRun ? 'The program would be copied to' : 'The program was copied to',
    `  ${folder}`,
    'where only root can change it. Where it is now it is not safe to run for all:',
    `  ${reason}`,
    'After an upgrade, run this command again.',
  ];
}

function serviceLines(
  { state, reason }: Installation['service'],
  { dryRun, system }: { dryRun: boolean; system: boolean },
): string[] {
  if (state === 'started') return ['The daemon runs, now and after every login.'];
  if (state === 'none') return ['No service was written. The daemon is started with: manypath up'];
  if (system) return ['Each user starts the daemon with:', `  ${enableCommand}`];
  if (dryRun) return ['Would be run:', `  ${enableCommand}`];
  return ['The daemon was not started:', `  ${reason}`, 'To start it:', `  ${enableCommand}`];
}

function adviceLines({ browsers, steps, command }: ExtensionAdvice): string[] {
  const lines = [`In ${browsers.join(', ')}:`, ...steps.map((step, index) => `  ${index + 1}. ${step}`)];
  if (command !== null) lines.push("  or, with Debian's Chromium, for all users:", `  ${command}`);
  return lines;
}

function short(path: string): string {
  const home = `${homedir()}/`;
  return path.startsWith(home) ? `~/${path.slice(home.length)}` : path;
}
