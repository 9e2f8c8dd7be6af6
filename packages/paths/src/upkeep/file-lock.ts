import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { ManypathError } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { processStartTime, thisProcess } from './process-identity.ts';

/** Another process held the journal for too long. */
export class JournalBusyError extends ManypathError {
  constructor(file: string) {
    super('MANYPATH_JOURNAL_BUSY', `another Manypath process keeps ${file} locked`, {
      hint: `if no other Manypath process runs, remove ${file}`,
    });
  }
}

/**
 * Runs `action` while holding a lock file; a lock whose owner has died is broken.
 *
 * Synchronous, because the holder changes kernel state for milliseconds at most.
 *
 * @throws JournalBusyError `MANYPATH_JOURNAL_BUSY`
 */
export function withFileLock<T>(file: string, action: () => T): T {
  const giveUpAt = Date.now() + pathsLimits.journalLockMs;
  while (!tryLock(file)) {
    if (Date.now() > giveUpAt) throw new JournalBusyError(file);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  try {
    return action();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  const { pid, startTime } = thisProcess();
  try {
    writeFileSync(file, `${pid} ${startTime}`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    if (ownerIsDead(file)) rmSync(file, { force: true });
    return false;
  }
}

function ownerIsDead(file: string): boolean {
  try {
    const [pid, startTime] = readFileSync(file, 'utf8').split(' ');
    // An empty file is one that its owner has just made and not written yet.
    if (pid === undefined || startTime === undefined) return false;
    return processStartTime(Number(pid)) !== startTime;
  } catch {
    return false;
  }
}
