import { accessSync, chmodSync, constants, mkdirSync, statSync } from 'node:fs';
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
    openToAll(shared);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return join(stateDir, 'paths');
  }
}

/** Also where the umask, or whoever made it before, has closed it. */
function openToAll(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const { mode, uid } = statSync(folder);
  if (uid === process.getuid?.() && (mode & 0o777) !== 0o755) chmodSync(folder, 0o755);
}
