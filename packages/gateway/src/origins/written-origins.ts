import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@manypath/core';

/** Removes the list of visited sites that the first release kept in the state folder. */
export function removeWrittenOrigins(stateDir: string): void {
  for (const name of ['origins.json', 'origins.json.lock']) {
    try {
      rmSync(join(stateDir, name), { force: true });
    } catch (error) {
      // A folder that cannot be written cannot be cleaned either.
      if (!['EROFS', 'EACCES', 'EPERM', 'ENOTDIR'].includes(errorCode(error) ?? '')) throw error;
    }
  }
}
