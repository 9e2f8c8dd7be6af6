import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@manypath/core';
import { LabNameTakenError } from './errors.ts';
import type { LinkShape } from './plan.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What can be wrong with a link. */
export const faultKinds = ['blackhole', 'carrier', 'admin', 'address', 'strip', 'loss', 'mtu'] as const;
export type FaultKind = (typeof faultKinds)[number];

/** A link as the state file keeps it, for this and for other processes. */
export interface LinkRecord {
  name: string;
  /** Its number, from which the subnet follows. Never given twice in one lab. */
  index: number;
  /** The host part of the client's addresses on it. */
  host: number;
  device: string;
  metric: number | null;
  shape: LinkShape;
  /** Loss in percent that the fault `loss` adds to the shape. */
  faultLossPercent: number;
  /** Of the fault `mtu`: the largest packet that passes, in bytes. */
  faultPacketBytes: number;
  faults: FaultKind[];
  /** The processes that delay its packets, where the kernel cannot. */
  wire: ProcessIdentity | null;
}

/** A lab as its state file keeps it. */
export interface LabRecord {
  version: 1;
  name: string;
  /** Who made it, and must live for it to live; `null` for one that stays until it is taken down. */
  owner: ProcessIdentity | null;
  /** Whether it shall have no owner once it is complete. */
  persistent: boolean;
  createdAt: string;
  /** Links that were ever made, for the next one's number. */
  linksMade: number;
  links: LinkRecord[];
}

/** Where labs are recorded: /run is emptied at boot, as the namespaces are. */
const stateFolder = '/run/manypath/labs';

function stateFile(name: string): string {
  return join(stateFolder, `${name}.json`);
}

/** A folder of the lab's own for sockets and the like; removed with it. */
export function scratchFolder(name: string): string {
  return join(stateFolder, `${name}.d`);
}

/** Claims a name for a new lab. Throws `MANYPATH_LAB_NAME_TAKEN`. */
export function claim(record: LabRecord): void {
  mkdirSync(stateFolder, { recursive: true });
  const draft = writeDraft(record);
  try {
    // link(2) fails when the name exists, and never shows a half-written file.
    linkSync(draft, stateFile(record.name));
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw new LabNameTakenError('lab', record.name);
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Writes a changed record in one step. */
export function save(record: LabRecord): void {
  renameSync(writeDraft(record), stateFile(record.name));
}

function writeDraft(record: LabRecord): string {
  const draft = join(stateFolder, `.${record.name}.${process.pid}`);
  writeFileSync(draft, `${JSON.stringify(record, undefined, 2)}\n`);
  return draft;
}

/** The record of a lab, or `undefined` when there is none. */
export function load(name: string): LabRecord | undefined {
  try {
    return JSON.parse(readFileSync(stateFile(name), 'utf8')) as LabRecord;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The names of all recorded labs. */
export function recordedNames(): string[] {
  try {
    return readdirSync(stateFolder)
      .filter(file => file.endsWith('.json') && !file.startsWith('.'))
      .map(file => file.slice(0, -'.json'.length))
      .sort();
  } catch (error) {
    // Who may not look there may not change what is there either, and is told so when it comes to that.
    if (['ENOENT', 'EACCES'].includes(errorCode(error) ?? '')) return [];
    throw error;
  }
}

/** Forgets a lab, last of all when it is taken down. */
export function forget(name: string): void {
  rmSync(scratchFolder(name), { recursive: true, force: true });
  rmSync(stateFile(name), { force: true });
}
