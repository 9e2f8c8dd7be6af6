import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ownPackage, ownProgram, type Program, programs } from '../own-files.ts';
import { InstallFileError, InstallUnsafeError } from './errors.ts';
import { readableByAll } from './files.ts';
import type { InstallPlaces } from './places.ts';
import { type ProgramFile, programFiles } from './program-files.ts';
import { shellWord } from './quoting.ts';
import { changeableByOthers, closedToOthers } from './trust.ts';

/** The program as root and all users may run it. */
export interface SystemProgram extends Program {
  /** The folder of the copy; `null` when it is run from where it is. */
  readonly copy: string | null;
  /** Why there has to be a copy. */
  readonly reason: string | null;
}

/** Folders that units of the system do not see (`ProtectHome`, `PrivateTmp`). */
const hiddenFromUnits = ['/home/', '/root/', '/run/user/', '/tmp/', '/var/tmp/'];

/**
 * The program as it may be run by root and by all users: where it is, if only root can change it and everybody can read it, or else as
 * a copy of that kind. Nothing is written yet: see {@link writeSystemProgram}.
 *
 * @throws InstallUnsafeError `MANYPATH_INSTALL_UNSAFE`, not even the folder for the copy is safe
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`, the program is incomplete
 */
export function systemProgram(places: InstallPlaces): SystemProgram {
  const unsafe = changeableByOthers(places.dataDir, places.root);
  if (unsafe !== undefined) throw new InstallUnsafeError(unsafe);
  const badNode = whyNotForAll(process.execPath);
  const reason = badNode ?? firstReason(programFiles());
  if (reason === undefined) {
    return { ...ownProgram(), node: realpathSync(process.execPath), copy: null, reason: null };
  }
  const copy = join(places.dataDir, copyName);
  const inCopy = (path: string) => join(copy, relative(ownPackage, path));
  return {
    node: badNode === undefined ? realpathSync(process.execPath) : join(copy, nodePlace),
    commandLine: inCopy(programs.commandLine),
    nativeHost: inCopy(programs.nativeHost),
    extension: join(copy, 'node_modules', '@manypath', 'extension', 'dist'),
    copy,
    reason,
  };
}

/** Name of the folder of the copy. */
export const copyName = 'program';

const nodePlace = join('bin', 'node');

function firstReason(files: readonly ProgramFile[]): string | undefined {
  for (const { source } of files) {
    const reason = whyNotForAll(source);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** Why root and all users should not run what is at a path; `undefined` when they may. */
function whyNotForAll(path: string): string | undefined {
  const changeable = changeableByOthers(path);
  if (changeable !== undefined) return `others than root can change ${changeable}`;
  const real = realpathSync(path);
  const closed = closedToOthers(real);
  if (closed !== undefined) return `not everybody can read ${closed}`;
  const hidden = hiddenFromUnits.find(folder => real.startsWith(folder));
  return hidden === undefined ? undefined : `services do not see what is below ${hidden}`;
}

/** Writes the copy, if there is to be one. @throws InstallFileError `MANYPATH_INSTALL_FILE` */
export function writeSystemProgram({ copy, node }: SystemProgram): void {
  if (copy === null) return;
  copyProgram(copy, { node: node === join(copy, nodePlace) ? process.execPath : undefined });
}

/**
 * Puts the whole program into a folder, with a script that starts it, `bin/manypath`; what was there goes. Everybody can read it, and only
 * who runs this can change it.
 *
 * @param node The Node to put there as well; default: none, and the one that runs this is used where it is.
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`
 */
export function copyProgram(folder: string, { node }: { node?: string | undefined } = {}): void {
  const draft = `${folder}.new`;
  try {
    rmSync(draft, { recursive: true, force: true });
    readableByAll(() => writeProgram(draft, node));
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error instanceof InstallFileError ? error : new InstallFileError('write', folder, error);
  }
}

function writeProgram(folder: string, node: string | undefined): void {
  for (const { source, place } of programFiles()) copyFile(source, join(folder, place), 0o644);
  if (node !== undefined) copyFile(node, join(folder, nodePlace), 0o755);
  const script = join(folder, 'bin', 'manypath');
  mkdirSync(dirname(script), { recursive: true });
  writeFileSync(script, starter(node === undefined ? realpathSync(process.execPath) : undefined));
  chmodSync(script, 0o755);
}

/** Not by Node's own `copyFile`: since version 24 the copy belongs to whom the original belongs to. */
function copyFile(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, readFileSync(from), { flag: 'wx' });
  chmodSync(to, mode);
}

/** A script that starts the copy it is in. @param node `undefined`: the one beside it. */
function starter(node: string | undefined): string {
  return [
    '#!/bin/sh',
    '# Starts Manypath from the folder that this script is in.',
    'here=$(CDPATH= cd -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)',
    `exec ${node === undefined ? '"$here/node"' : shellWord(node)} "$here/../dist/main.js" "$@"`,
    '',
  ].join('\n');
}
