import { basename, isAbsolute, join } from 'node:path';
import { errorMessage } from '@manypath/core';
import { InstallRecordError } from './errors.ts';
import { ensureFolder, readIfThere, replaceFile } from './files.ts';
import { helperServiceName, helperSocketName } from './helper-units.ts';
import { manifestName, wrapperName } from './host-manifest.ts';
import type { InstallPlaces } from './places.ts';
import { relayUnitName } from './relay-unit.ts';
import { unitName } from './service-unit.ts';
import { copyName } from './system-program.ts';

/** What an installation wrote, so that exactly this can be removed. */
export interface InstallRecord {
  /** Absolute paths; some may not have been written. */
  readonly files: readonly string[];
  /** Folders that were not there before; they go when they are empty. */
  readonly folders: readonly string[];
  /** Copies of the program; they go as a whole, when no other installation needs them. */
  readonly trees: readonly string[];
  /** Of the helper: the users it serves, by number. */
  readonly users: readonly number[];
}

/** What was installed: the native host and the daemon, the privileged helper, or the relay. */
export type InstallKind = 'browsers' | 'helper' | 'relay';

const recordNames: Record<InstallKind, string> = {
  browsers: 'installed.json',
  helper: 'helper.json',
  relay: 'relay.json',
};

/** All kinds of installations, which may share a copy of the program. */
export const installKinds = Object.keys(recordNames) as readonly InstallKind[];

const formatVersion = 1;
const ourFiles: readonly string[] = [
  manifestName,
  wrapperName,
  unitName,
  helperServiceName,
  helperSocketName,
  relayUnitName,
];

/** Where the record is. */
export function recordFile(places: InstallPlaces, kind: InstallKind = 'browsers'): string {
  return join(places.dataDir, recordNames[kind]);
}

/**
 * What was installed so far; `undefined` when nothing was.
 *
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function readRecord(places: InstallPlaces, kind: InstallKind = 'browsers'): InstallRecord | undefined {
  const path = recordFile(places, kind);
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InstallRecordError(path, errorMessage(error), error);
  }
  if (typeof value !== 'object' || value === null) throw new InstallRecordError(path, 'it is no object');
  const { version, files, folders, trees = [], users = [] } = value as Record<string, unknown>;
  if (version !== formatVersion) throw new InstallRecordError(path, `its version is not ${formatVersion}`);
  if (!isListOfPaths(files) || !isListOfPaths(folders) || !isListOfPaths(trees)) {
    throw new InstallRecordError(path, 'files, folders and trees are no lists of absolute paths');
  }
  const foreign = files.find(file => !ourFiles.includes(basename(file)));
  if (foreign !== undefined) throw new InstallRecordError(path, `${foreign} is no file of an installation`);
  const strange = trees.find(tree => tree !== join(places.dataDir, copyName));
  if (strange !== undefined) throw new InstallRecordError(path, `${strange} is no copy of the program`);
  if (!isListOfUsers(users)) throw new InstallRecordError(path, 'users is no list of user numbers');
  return { files, folders, trees, users };
}

/** Both together, each once. */
export function mergeRecords(
  before: InstallRecord | undefined,
  added: Partial<InstallRecord>,
): InstallRecord {
  return {
    files: union(before?.files, added.files).sort(),
    folders: union(before?.folders, added.folders).sort(),
    trees: union(before?.trees, added.trees).sort(),
    users: union(before?.users, added.users).sort((left, right) => left - right),
  };
}

function union<T>(left: readonly T[] = [], right: readonly T[] = []): T[] {
  return [...new Set([...left, ...right])];
}

/** @throws InstallFileError `MANYPATH_INSTALL_FILE` */
export function writeRecord(
  places: InstallPlaces,
  record: InstallRecord,
  kind: InstallKind = 'browsers',
): void {
  ensureFolder(places.dataDir, places.system ? 0o755 : 0o700);
  const text = `${JSON.stringify({ version: formatVersion, ...record }, null, 2)}\n`;
  replaceFile({ path: recordFile(places, kind), text, mode: 0o644 });
}

function isListOfPaths(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string' && isAbsolute(item));
}

function isListOfUsers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(item => Number.isInteger(item) && item >= 0);
}
