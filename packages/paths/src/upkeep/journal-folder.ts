import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where files are that all Manypath processes of this host share; the helper's socket, which everybody may reach, too. */
const shared = '/run/manypath';

/**
 * Where the journal belongs: below /run, which all states folders share and a reboot empties; for a user
 * without access to it, in the state folder. Nobody else may look into it: who can open a folder can lock it.
 */
export function journalFolder(stateDir: string): string {
  const folder = join(shared, 'journal');
  try {
    mkdirSync(shared, { recursive: true, mode: 0o755 });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return join(stateDir, 'paths');
  }
}
