import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '@manypath/core';

/**
 * Makes a folder and those above it that are missing; one that is there stays as it is.
 *
 * Not `mkdirSync(…, { recursive: true })`: on file systems in which nobody can make a folder, like /proc, that of Node.js 20
 * tries for ever.
 *
 * @param mode Permissions of each folder that is made. Default 0700: for its owner alone.
 * @throws The error of the system: `EEXIST` or `ENOTDIR` where a file is in the way, `EACCES`, `EROFS`, `ENOENT`, …
 */
export function makeFolder(folder: string, mode = 0o700): void {
  try {
    mkdirSync(folder, { mode });
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && isFolder(folder)) return;
    const above = dirname(folder);
    if (errorCode(error) !== 'ENOENT' || above === folder || isFolder(above)) throw error;
    makeFolder(above, mode);
    makeFolder(folder, mode);
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
