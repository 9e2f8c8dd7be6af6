import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@manypath/core';
import { readPrivateFile, replaceFile } from '@manypath/files';
import { PathManager } from '@manypath/mptcp';

/** As many as Linux allows (MPTCP_PM_ADDR_MAX in net/mptcp/pm_kernel.c). */
const mostSubflows = 8;

/** What a relay has changed, kept in case that it is killed. */
interface Record {
  readonly before: number;
  readonly raisedTo: number;
  /** Names the network namespace and the boot: elsewhere the record means nothing. */
  readonly place: string;
}

/**
 * Raises the kernel's limit of subflows for as long as the relay runs: it also says how many joins a server accepts, and
 * is 2 by default.
 *
 * @param folder Keeps what was there before, so that the next start puts it back if this process is killed.
 * @returns What puts it back; `undefined` when nothing was changed: it is high enough, or may not be changed.
 */
export function raiseSubflowLimit(folder: string): (() => void) | undefined {
  const file = join(folder, 'subflow-limit.json');
  try {
    const manager = PathManager.open();
    try {
      return raise(manager, file);
    } finally {
      manager.close();
    }
  } catch (error) {
    // Without the right, or without MPTCP, the relay does its work all the same.
    if (/^MPTCP_/.test(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

function raise(manager: PathManager, file: string): (() => void) | undefined {
  const now = manager.limits().subflows;
  const left = readRecord(file);
  const killed = left !== undefined && left.place === placeName() && left.raisedTo === now;
  const before = killed ? left.before : now;
  if (before >= mostSubflows) return undefined;
  replaceFile(file, JSON.stringify({ before, raisedTo: mostSubflows, place: placeName() }));
  try {
    manager.setLimits({ subflows: mostSubflows });
  } catch (error) {
    if (!killed) rmSync(file, { force: true });
    throw error;
  }
  return () => restore(before, file);
}

function restore(before: number, file: string): void {
  const manager = PathManager.open();
  try {
    // Whoever has set another value in between wants that one.
    if (manager.limits().subflows === mostSubflows) manager.setLimits({ subflows: before });
  } finally {
    manager.close();
  }
  rmSync(file, { force: true });
}

function readRecord(file: string): Record | undefined {
  try {
    const { before, raisedTo, place } = JSON.parse(readPrivateFile(file) ?? '{}');
    const sound = Number.isInteger(before) && before >= 0 && before <= mostSubflows;
    return sound ? { before, raisedTo, place } : undefined;
  } catch {
    return undefined;
  }
}

function placeName(): string {
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${readlinkSync('/proc/self/ns/net')} ${boot}`;
}
