import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesLimits, withFolderLock } from '../src/index.ts';

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-lock-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

/** Another process that has the folder locked. */
async function holder(): Promise<ChildProcess> {
  const child = spawn('flock', ['--no-fork', folder, 'sh', '-c', 'echo locked; exec sleep 60']);
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

describe('the lock of a folder', () => {
  it('lets one action at a time in, also of one process, and leaves nothing behind', async () => {
    let inside = 0;
    const action = () => {
      inside += 1;
      expect(inside).toBe(1);
      inside -= 1;
      return 'done';
    };
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => withFolderLock(folder, action)));
    expect(outcomes).toEqual(['done', 'done', 'done', 'done']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is let go of when the action fails', async () => {
    const fails = () => {
      throw new Error('no');
    };
    await expect(withFolderLock(folder, fails)).rejects.toThrow('no');
    expect(await withFolderLock(folder, () => 1)).toBe(1);
  });

  it('waits for another process without holding anybody up, and goes on when that is killed', async () => {
    const other = await holder();
    let entered = false;
    const waiting = withFolderLock(folder, () => {
      entered = true;
    });
    let turns = 0;
    for (; turns < 20; turns++) await new Promise(resolve => setTimeout(resolve, 1));
    expect([turns, entered]).toEqual([20, false]);
    other.kill('SIGKILL');
    await waiting;
    expect(entered).toBe(true);
  });

  it('keeps a process alive that has nothing else to do than to wait for it', async () => {
    const other = await holder();
    const script = `
      import { withFolderLock } from '@manypath/files';
      process.stdout.write('waits');
      await withFolderLock(process.argv[1], () => process.stdout.write(' has it'));
    `;
    const words = ['--input-type=module', '--eval', script, folder];
    const waiter = spawn(process.execPath, words, { cwd: import.meta.dirname });
    children.push(waiter);
    let printed = '';
    waiter.stdout.on('data', bytes => {
      printed += String(bytes);
    });
    waiter.stdout.once('data', () => setTimeout(() => other.kill('SIGKILL'), 100));
    const [code] = await once(waiter, 'exit');
    expect([code, printed]).toEqual([0, 'waits has it']);
  });

  it('gives up on a process that keeps it', async () => {
    await holder();
    let now = 0;
    const clock = {
      now: () => now,
      after: (milliseconds: number, callback: () => void) => {
        now += milliseconds;
        return systemClock.after(0, callback);
      },
    };
    await expect(withFolderLock(folder, () => 1, clock)).rejects.toMatchObject({
      code: 'MANYPATH_FOLDER_BUSY',
      hint: expect.stringContaining('stopped'),
    });
    expect(now).toBeGreaterThanOrEqual(filesLimits.folderLockMs);
  });

  it('does not mind lock files that are left from somebody else', async () => {
    writeFileSync(join(folder, 'counts.json.lock'), '');
    writeFileSync(join(folder, 'other.json.lock'), '1 12345');
    expect(await withFolderLock(folder, () => 1)).toBe(1);
  });

  it('says so when there is no such folder', async () => {
    await expect(withFolderLock(join(folder, 'none'), () => 1)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
