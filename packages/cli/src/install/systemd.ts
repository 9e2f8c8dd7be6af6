import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isOnPath } from '../system-packages.ts';
import { unitName } from './service-unit.ts';

/** What a person types to have the daemon run from now on. */
export const enableCommand = `systemctl --user enable --now ${unitName}`;

/** Whether systemd runs this machine; sd_booted(3). */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system') && isOnPath('systemctl');
}

/** Has the daemon run now and at every login. @returns Why it does not; `undefined` when it does. */
export function startService({ changed }: { changed: boolean }): string | undefined {
  const steps = [['daemon-reload'], ['enable', '--now', unitName]];
  // One that runs already runs as it was before.
  if (changed) steps.push(['try-restart', unitName]);
  for (const step of steps) {
    const complaint = systemctl(step);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** Ends the daemon for good, as far as systemd can be reached; to be called before its unit goes. */
export function stopService(): void {
  systemctl(['disable', '--now', unitName]);
}

/** Has systemd forget a unit that has gone. */
export function forgetService(): void {
  systemctl(['daemon-reload']);
  systemctl(['reset-failed', unitName]);
}

/** @returns What went wrong, in one line. */
function systemctl(parameters: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync('systemctl', ['--user', ...parameters], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 30_000,
  });
  if (status === 0) return undefined;
  const line = (stderr ?? '').trim().split('\n')[0] ?? '';
  return line !== '' ? line : (error?.message ?? `systemctl ended with ${status}`);
}
