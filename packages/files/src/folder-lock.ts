import { closeSync, constants, openSync } from 'node:fs';
import type { Clock } from '@manypath/core';
import { tryLockFile } from '@manypath/mptcp';
import { FolderBusyError } from './errors.ts';
import { filesLimits } from './limits.ts';

/** Keeps the process alive, unlike that of the house: whoever waits for a lock wants to get it. */
const waitingClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, callback) {
    const handle = setTimeout(callback, milliseconds);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Runs `action` while no other process does the like in this folder.
 *
 * The folder itself is locked (flock(2)): that takes no room on the disk, leaves nothing behind, and ends with the process.
 * Waiting for it blocks nobody. `action` is synchronous, so that it is over in milliseconds. Where the file system has no
 * locks, it runs without.
 *
 * @throws FolderBusyError `MANYPATH_FOLDER_BUSY` after `folderLockMs` of the limits
 * @throws the ENOENT and the like of a folder that cannot be opened
 */
export async function withFolderLock<T>(
  folder: string,
  action: () => T,
  clock: Clock = waitingClock,
): Promise<T> {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const giveUpAt = clock.now() + filesLimits.folderLockMs;
    let pauseMs: number = filesLimits.folderLockTryMs;
    while (tryLockFile(fd) === 'busy') {
      if (clock.now() >= giveUpAt) throw new FolderBusyError(folder);
      const wait = pauseMs;
      await new Promise<void>(resolve => clock.after(wait, resolve));
      pauseMs = Math.min(2 * pauseMs, filesLimits.folderLockTryMostMs);
    }
    return action();
  } finally {
    closeSync(fd);
  }
}
