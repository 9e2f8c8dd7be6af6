import type { Logger } from '@manypath/core';
import { Journal } from './journal.ts';
import { hasLivingOwner } from './journal-entries.ts';
import { journalFolder } from './journal-folder.ts';
import { SettingsKeeper } from './settings-keeper.ts';

/**
 * How many changes of this network namespace a killed process left, which nobody relies on any more. What cannot be read by this
 * user counts as none.
 */
export function countLeftovers(stateDir: string): number {
  const entries = new Journal(journalFolder(stateDir)).read();
  if (hasLivingOwner(entries)) return 0;
  const { settings, limits, sysctls } = entries;
  return settings.length + (limits === null ? 0 : 1) + Object.keys(sysctls).length;
}

/**
 * Undoes them, as the next start of whatever keeps settings does.
 *
 * @returns Whether none are left.
 */
export async function undoLeftovers(options: { stateDir: string; logger: Logger }): Promise<boolean> {
  const keeper = SettingsKeeper.open(options);
  try {
    await keeper.begin({ limits: 'unchanged' });
  } finally {
    await keeper.end();
  }
  return countLeftovers(options.stateDir) === 0;
}
