import type { PathsLogger } from '../path-set.ts';
import { Journal } from './journal.ts';
import { journalFolder } from './journal-folder.ts';
import { KernelTables } from './kernel-tables.ts';
import { SettingsKeeper } from './settings-keeper.ts';

/**
 * Lets connections of this host have as many subflows as the kernel allows: what a server needs, whose kernel else
 * refuses the third subflow of a client.
 *
 * @returns What puts the limits back; they are also put back by the next start after a kill.
 */
export async function raiseSubflowLimits({
  stateDir,
  logger,
}: {
  stateDir: string;
  logger: PathsLogger;
}): Promise<() => Promise<void>> {
  const tables = KernelTables.open();
  const keeper = new SettingsKeeper(tables, new Journal(journalFolder(stateDir)), logger);
  await keeper.begin();
  return async () => {
    await keeper.end();
    tables.close();
  };
}
