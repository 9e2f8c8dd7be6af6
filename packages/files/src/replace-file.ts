import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '@manypath/core';

/** Options of {@link replaceFile} and {@link createFile}. */
export interface WriteOptions {
  /** Permissions, whatever the umask says. Default 0600: for its owner alone. */
  readonly mode?: number;
  /** Whether it is there for good when this returns, also when the power fails. It waits for the disk. Default false. */
  readonly durable?: boolean;
}

/** Writes a file as a whole or not at all: whoever reads it meanwhile, or after a crash, sees the old one or the new one. */
export function replaceFile(file: string, content: string, options: WriteOptions = {}): void {
  const draft = writeDraft(file, content, options);
  try {
    renameSync(draft, file);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
  if (options.durable) syncFolder(dirname(file));
}

/** The same, unless the file is there already. @returns Whether it was written. */
export function createFile(file: string, content: string, options: WriteOptions = {}): boolean {
  const draft = writeDraft(file, content, options);
  try {
    // Unlike a rename this fails when another process was faster.
    linkSync(draft, file);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
  if (options.durable) syncFolder(dirname(file));
  return true;
}

function writeDraft(file: string, content: string, { mode = 0o600, durable = false }: WriteOptions): string {
  removeLeftDrafts(file);
  const draft = `${file}.${process.pid}`;
  try {
    const fd = openSync(draft, 'wx', mode & 0o700);
    try {
      writeFileSync(fd, content);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    chmodSync(draft, mode);
    return draft;
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** Drafts of processes that were killed while they wrote. */
function removeLeftDrafts(file: string): void {
  const start = `${basename(file)}.`;
  for (const name of readdirSync(dirname(file))) {
    const pid = name.startsWith(start) ? name.slice(start.length) : '';
    if (!/^\d+$/.test(pid)) continue;
    // Nothing is written here but at once: one of this process is of another one that had its number.
    if (Number(pid) === process.pid || !existsSync(`/proc/${pid}`)) {
      rmSync(join(dirname(file), name), { force: true });
    }
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
