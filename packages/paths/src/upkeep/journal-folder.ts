import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Where the journal belongs: below /run, which all states folders share and a reboot empties; for a user
 * without access to it, in the state folder.
 */
export function journalFolder(stateDir: string): string {
  const shared = '/run/manypath';
  try {
    mkdirSync(shared, { recursive: true, mode: 0o700 });
    accessSync(shared, constants.W_OK);
    return shared;
  } catch {
    return join(stateDir, 'paths');
  }
}
