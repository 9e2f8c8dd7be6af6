import { existsSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errorCode } from '@manypath/core';
import { makeFolder, replaceFile as replaceWholeFile } from '@manypath/files';
import { InstallFileError } from './errors.ts';

/** A file as it should be. */
export interface FileContent {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** Permissions. */
  readonly mode: number;
}

/** The folders on the way to `path` that are not there, the outermost first. */
export function missingFolders(path: string): string[] {
  const missing: string[] = [];
  for (let folder = path; !existsSync(folder) && dirname(folder) !== folder; folder = dirname(folder)) {
    missing.unshift(folder);
  }
  return missing;
}

/** @throws InstallFileError `MANYPATH_INSTALL_FILE` */
export function ensureFolder(folder: string, mode: number): void {
  try {
    makeFolder(folder, mode);
  } catch (error) {
    throw new InstallFileError('write', folder, error);
  }
}

/** Does something in which new files and folders can be read by everybody, whatever the umask says. */
export function readableByAll<T>(action: () => T): T {
  const umask = process.umask(0o022);
  try {
    return action();
  } finally {
    process.umask(umask);
  }
}

/** Whether a file has this text and these permissions. */
export function isAsItShouldBe({ path, text, mode }: FileContent): boolean {
  return readIfThere(path) === text && (statSync(path).mode & 0o777) === mode;
}

/**
 * Writes a file, unless it is as it should be; whoever reads it meanwhile sees the old one or the new one.
 *
 * @returns Whether anything changed.
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function replaceFile(file: FileContent): boolean {
  try {
    if (isAsItShouldBe(file)) return false;
    replaceWholeFile(file.path, file.text, { mode: file.mode });
    return true;
  } catch (error) {
    throw error instanceof InstallFileError ? error : new InstallFileError('write', file.path, error);
  }
}

/**
 * The text of a file; `undefined` when there is none.
 *
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return undefined;
    throw new InstallFileError('write', path, error);
  }
}

/**
 * Removes a file or a link.
 *
 * @returns Whether it was there.
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function removeFile(path: string): boolean {
  try {
    rmSync(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '')) return false;
    throw new InstallFileError('remove', path, error);
  }
}

/**
 * Removes a folder with all that is in it; links in it are removed, not followed.
 *
 * @returns Whether it was there.
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function removeTree(folder: string): boolean {
  try {
    const isThere = existsSync(folder);
    rmSync(folder, { recursive: true, force: true });
    return isThere;
  } catch (error) {
    throw new InstallFileError('remove', folder, error);
  }
}

/** Removes a folder if nothing is in it. @returns Whether it went. */
export function removeIfEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return false;
  }
}

/** Whether there is a file at a path, also behind a link. */
export function existingFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/**
 * The files at or below a path in a folder, relative to the folder; links and what npm installed there are left out.
 *
 * @param path Default: the whole folder.
 */
export function filesBelow(folder: string, path = ''): string[] {
  const stats = lstatSync(join(folder, path), { throwIfNoEntry: false });
  if (stats?.isFile()) return [path];
  if (!stats?.isDirectory()) return [];
  const names = readdirSync(join(folder, path)).filter(name => name !== 'node_modules');
  return names.flatMap(name => filesBelow(folder, join(path, name)));
}
