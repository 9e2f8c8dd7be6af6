import { chmodSync, readFileSync, statSync } from 'node:fs';
import { errorCode } from '@manypath/core';
import { makeFolder } from './make-folder.ts';

/** Makes a folder that only its owner can look into; one that is there already is closed to others. */
export function privateFolder(folder: string): void {
  makeFolder(folder);
  if ((statSync(folder).mode & 0o077) !== 0) chmodSync(folder, 0o700);
}

/** The content of a file; `undefined` when there is none. A file that others could read is closed to them. */
export function readPrivateFile(file: string): string | undefined {
  try {
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600);
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
