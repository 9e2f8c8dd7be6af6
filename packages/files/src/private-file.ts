import { chmodSync, statSync } from 'node:fs';
import { errorCode } from '@manypath/core';
import { makeFolder } from './make-folder.ts';
import { readOrdinaryFile } from './ordinary-file.ts';
import { checkOwner } from './owner.ts';

/**
 * Makes a folder that only its owner can look into; one that is there already is closed to others.
 *
 * @throws the error of the system; `EPERM` where it belongs to another user
 */
export function privateFolder(folder: string): void {
  makeFolder(folder);
  const stats = statSync(folder);
  checkOwner(folder, stats);
  if ((stats.mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/**
 * Makes a folder in which nobody but its owner can put, rename or remove anything; one that is there already is closed to their
 * writing. One of root in which everybody has files of their own (`/tmp`) stays as it is.
 *
 * @throws the error of the system; `EPERM` where it belongs to another user, or is open to others and cannot be closed
 */
export function ownFolder(folder: string): void {
  makeFolder(folder);
  const stats = statSync(folder);
  checkOwner(folder, stats);
  const isShared = (stats.mode & 0o1000) !== 0;
  if (!isShared && (stats.mode & 0o022) !== 0) chmodSync(folder, stats.mode & 0o7755);
}

/**
 * The content of a file; `undefined` when there is none. A file that others could read is closed to them.
 *
 * @throws what `readOrdinaryFile` throws
 */
export function readPrivateFile(file: string): string | undefined {
  try {
    return readOrdinaryFile(file, { isPrivate: true });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
