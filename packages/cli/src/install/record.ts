import { basename, isAbsolute, join } from 'node:path';
import { errorMessage } from '@manypath/core';
import { InstallRecordError } from './errors.ts';
import { ensureFolder, readIfThere, replaceFile } from './files.ts';
import { manifestName, wrapperName } from './host-manifest.ts';
import type { InstallPlaces } from './places.ts';
import { unitName } from './service-unit.ts';

/** What an installation wrote, so that exactly this can be removed. */
export interface InstallRecord {
  /** Absolute paths; some may not have been written. */
  readonly files: readonly string[];
  /** Folders that were not there before; they go when they are empty. */
  readonly folders: readonly string[];
}

const formatVersion = 1;
const ourFiles: readonly string[] = [manifestName, wrapperName, unitName];

/** Where the record is. */
export function recordFile(places: InstallPlaces): string {
  return join(places.dataDir, 'installed.json');
}

/**
 * What was installed so far; `undefined` when nothing was.
 *
 * @throws InstallRecordError `MANYPATH_INSTALL_RECORD_INVALID`
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function readRecord(places: InstallPlaces): InstallRecord | undefined {
  const path = recordFile(places);
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new InstallRecordError(path, errorMessage(error), error);
  }
  if (typeof value !== 'object' || value === null) throw new InstallRecordError(path, 'it is no object');
  const { version, files, folders } = value as Record<string, unknown>;
  if (version !== formatVersion) throw new InstallRecordError(path, `its version is not ${formatVersion}`);
  if (!isListOfPaths(files) || !isListOfPaths(folders)) {
    throw new InstallRecordError(path, 'files and folders are no lists of absolute paths');
  }
  const foreign = files.find(file => !ourFiles.includes(basename(file)));
  if (foreign !== undefined) throw new InstallRecordError(path, `${foreign} is no file of an installation`);
  return { files, folders };
}

/** Both together, each path once. */
export function mergeRecords(before: InstallRecord | undefined, added: InstallRecord): InstallRecord {
  return {
    files: [...new Set([...(before?.files ?? []), ...added.files])].sort(),
    folders: [...new Set([...(before?.folders ?? []), ...added.folders])].sort(),
  };
}

/** @throws InstallFileError `MANYPATH_INSTALL_FILE` */
export function writeRecord(places: InstallPlaces, record: InstallRecord): void {
  ensureFolder(places.dataDir, places.system ? 0o755 : 0o700);
  const text = `${JSON.stringify({ version: formatVersion, ...record }, null, 2)}\n`;
  replaceFile({ path: recordFile(places), text, mode: 0o644 });
}

function isListOfPaths(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(item => typeof item === 'string' && isAbsolute(item));
}
