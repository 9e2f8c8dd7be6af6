import { closeSync, constants, fchmodSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { filesLimits } from './limits.ts';
import { checkOwner } from './owner.ts';

export interface ReadOptions {
  /** Longest file that is read, in bytes. Default: `storeBytes` of the limits. */
  readonly most?: number;
  /** Closes a file to all but its owner, and reads none that another user has put there. Default false. */
  readonly isPrivate?: boolean;
}

/**
 * The text of a file on a disk. What is none (a pipe, a device, a socket) is not waited for: opening a pipe would hold up
 * the whole process until somebody writes into it.
 *
 * @throws RangeError when it is longer than it may be
 * @throws the error of the system: `ENOENT`, `EACCES`, …; `EINVAL` for what is no file, `EPERM` for another user's
 */
export function readOrdinaryFile(file: string, options: ReadOptions = {}): string {
  const { most = filesLimits.storeBytes, isPrivate = false } = options;
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw Object.assign(new Error(`${file} is no ordinary file`), { code: 'EINVAL' });
    if (stats.size > most) throw new RangeError(`it has ${stats.size} bytes`);
    if (isPrivate) checkOwner(file, stats);
    if (isPrivate && (stats.mode & 0o077) !== 0) fchmodSync(descriptor, 0o600);
    return readFileSync(descriptor, 'utf8');
  } finally {
    closeSync(descriptor);
  }
}
