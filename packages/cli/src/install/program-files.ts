import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cloneFolder, docsFolder, ownPackage } from '../own-files.ts';
import { InstallFileError } from './errors.ts';
import { existingFile, filesBelow } from './files.ts';

/** A file of the program, and its place below a folder that holds the whole program. */
export interface ProgramFile {
  /** Absolute. */
  readonly source: string;
  /** Relative. */
  readonly place: string;
}

interface Package {
  /** Real path. */
  readonly folder: string;
  /** Relative to the folder of the whole. */
  readonly place: string;
}

/** What npm reads of a package. */
interface Manifest {
  readonly name: string;
  readonly files?: readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Every file that the program needs, its packages flat in `node_modules` as npm lays them. So the same folder comes of a clone, of what
 * npm installed and of an earlier copy.
 *
 * @throws InstallFileError `MANYPATH_INSTALL_FILE`, the program is incomplete
 */
export function programFiles(): ProgramFile[] {
  const files = packagesOf(realpathSync(ownPackage)).flatMap(filesOfPackage);
  const places = new Set(files.map(({ place }) => place));
  const pages = filesBelow(docsFolder).map(path => ({
    source: join(docsFolder, path),
    place: join('docs', path),
  }));
  return [...files, ...pages.filter(({ place }) => !places.has(place))];
}

/** A package and all that it depends on, directly or not. */
function packagesOf(root: string): Package[] {
  const packages: Package[] = [{ folder: root, place: '' }];
  const atTop = new Map<string, string>();
  for (const parent of packages) {
    const { dependencies = {}, optionalDependencies = {} } = manifestOf(parent.folder);
    for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
      const folder = dependencyFolder(parent.folder, name);
      if (folder === undefined) {
        // Parts for other kinds of machines are optional.
        if (Object.hasOwn(optionalDependencies, name)) continue;
        throw new InstallFileError(
          'read',
          join(parent.folder, 'node_modules', name),
          new Error('it is missing'),
        );
      }
      const top = atTop.get(name);
      if (top === folder) continue;
      if (top === undefined) atTop.set(name, folder);
      packages.push({ folder, place: join(top === undefined ? '' : parent.place, 'node_modules', name) });
    }
  }
  return packages;
}

/** Where Node would find a dependency. */
function dependencyFolder(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', name);
    if (existingFile(join(candidate, 'package.json'))) return realpathSync(candidate);
    if (dirname(folder) === folder) return undefined;
  }
}

function filesOfPackage({ folder, place }: Package): ProgramFile[] {
  const { name, files } = manifestOf(folder);
  const isOurs = name === 'manypath' || name.startsWith('@manypath/');
  // In a clone a room has much more in it than what runs; packages of others are as they were packed.
  const paths = isOurs
    ? [
        'package.json',
        'README.md',
        ...(files ?? []).flatMap(entry => filesBelow(folder, entry)).filter(isRun),
      ]
    : filesBelow(folder);
  const found = paths
    .map(path => ({ source: join(folder, path), place: join(place, path) }))
    .filter(({ source }) => existingFile(source));
  if (!isOurs) return found;
  const licence = [folder, ...(cloneFolder === undefined ? [] : [cloneFolder])]
    .map(where => join(where, 'LICENSE'))
    .find(existingFile);
  return licence === undefined ? found : [...found, { source: licence, place: join(place, 'LICENSE') }];
}

/** Sources and types are for those who build on a package. */
function isRun(path: string): boolean {
  return !/^src\/|\.d\.ts$|\.map$/.test(path);
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
