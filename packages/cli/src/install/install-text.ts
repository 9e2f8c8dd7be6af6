import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { debianFlagsFile, type ExtensionAdvice, extensionAdvice } from './extension-advice.ts';
import type { Installation } from './install.ts';
import { enableCommand } from './systemd.ts';
import type { Uninstallation } from './uninstall.ts';

/** For people: what was installed, and what is left for them to do. Prose fits 80 columns; paths have lines alone. */
export function installText(
  installation: Installation,
  {
    extension,
    dryRun,
    system,
  }: { extension: { folder: string; built: boolean }; dryRun: boolean; system: boolean },
): string {
  const lines = [dryRun ? 'Would be written:' : 'Written:'];
  for (const { path, changed } of installation.files)
    lines.push(`  ${short(path)}${changed ? '' : ' (as it was)'}`);
  lines.push(
    '',
    ...serviceLines(installation.service, { dryRun, system }),
    '',
    'The extension:',
    `  ${extension.folder}`,
  );
  if (!extension.built) lines.push('It is not built yet: npm run build');
  for (const advice of extensionAdvice(installation.targets, extension.folder))
    lines.push(...adviceLines(advice));
  lines.push('', `To undo all this: manypath uninstall${system ? ' --system' : ''}`);
  return `${lines.join('\n')}\n`;
}

/** For people: what was removed. */
export function uninstallText({ files, folders }: Uninstallation, dryRun: boolean): string {
  if (files.length === 0) return 'Nothing is installed.\n';
  const lines = [dryRun ? 'Would be removed:' : 'Removed:', ...files.map(file => `  ${short(file)}`)];
  if (folders.length > 0) {
    lines.push(dryRun ? 'and these folders, if they are empty then:' : 'and these folders:');
    lines.push(...folders.map(folder => `  ${short(folder)}`));
  }
  lines.push('The extension itself is removed on the extensions page of the browser.');
  if (existsSync(debianFlagsFile)) lines.push('You still have:', `  ${debianFlagsFile}`);
  return `${lines.join('\n')}\n`;
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
