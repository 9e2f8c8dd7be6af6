import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isOnPath } from '../system-packages.ts';
import { helperServiceName, helperSocketName } from './helper-units.ts';
import { relayUnitName } from './relay-unit.ts';
import { unitName } from './service-unit.ts';

/** What a person types to have the daemon run from now on. */
export const enableCommand = `systemctl --user enable --now ${unitName}`;

/** Whether systemd runs this machine; sd_booted(3). */
export function hasSystemd(): boolean {
  return existsSync('/run/systemd/system') && isOnPath('systemctl');
}

type Scope = '--user' | '--system';

/** Has the daemon run now and at every login. @returns Why it does not; `undefined` when it does. */
export function startService({ changed }: { changed: boolean }): string | undefined {
  const steps = [['daemon-reload'], ['enable', '--now', unitName]];
  // One that runs already runs as it was before.
  if (changed) steps.push(['try-restart', unitName]);
  return inTurn('--user', steps);
}

/** Ends the daemon for good, as far as systemd can be reached; to be called before its unit goes. */
export function stopService(): void {
  systemctl('--user', ['disable', '--now', unitName]);
}

/** Has systemd forget a unit that has gone. */
export function forgetService(): void {
  systemctl('--user', ['daemon-reload']);
  systemctl('--user', ['reset-failed', unitName]);
}

/** Has systemd start the helper when it is asked for. @returns Why it does not; `undefined` when it does. */
export function startHelper({ changed }: { changed: boolean }): string | undefined {
  const steps = [['daemon-reload'], ['enable', '--now', helperSocketName]];
  if (changed) steps.push(['try-restart', helperServiceName]);
  return inTurn('--system', steps);
}

/** Ends the helper for good, as far as systemd can be reached; to be called before its units go. */
export function stopHelper(): void {
  systemctl('--system', ['disable', '--now', helperSocketName, helperServiceName]);
}

/** Has systemd forget the units of the helper, which have gone. */
export function forgetHelper(): void {
  systemctl('--system', ['daemon-reload']);
  systemctl('--system', ['reset-failed', helperServiceName, helperSocketName]);
}

/** Has the relay run now and after every boot. @returns Why it does not; `undefined` when it does. */
export function startRelay({ changed }: { changed: boolean }): string | undefined {
  const steps = [['daemon-reload'], ['enable', '--now', relayUnitName]];
  if (changed) steps.push(['restart', relayUnitName]);
  return inTurn('--system', steps);
}

/** Ends the relay for good, as far as systemd can be reached; to be called before its unit goes. */
export function stopRelay(): void {
  systemctl('--system', ['disable', '--now', relayUnitName]);
}

/** Has systemd forget the unit of the relay, which has gone. */
export function forgetRelay(): void {
  systemctl('--system', ['daemon-reload']);
  systemctl('--system', ['reset-failed', relayUnitName]);
}

function inTurn(scope: Scope, steps: readonly (readonly string[])[]): string | undefined {
  for (const step of steps) {
    const complaint = systemctl(scope, step);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** @returns What went wrong, in one line. */
function systemctl(scope: Scope, parameters: readonly string[]): string | undefined {
  const { status, stderr, error } = spawnSync('systemctl', [scope, ...parameters], {
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 30_000,
  });
  if (status === 0) return undefined;
  const line = (stderr ?? '').trim().split('\n')[0] ?? '';
  return line !== '' ? line : (error?.message ?? `systemctl ended with ${status}`);
}
