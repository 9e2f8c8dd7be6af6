import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this package, in a clone as well as installed. */
export const ownPackage = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/** The built programs of this package, by absolute path. */
export const programs = {
  commandLine: join(ownPackage, 'dist', 'main.js'),
  nativeHost: join(ownPackage, 'dist', 'native-host', 'main.js'),
} as const;

/** The parts of an installed program, by absolute path. */
export interface Program {
  readonly node: string;
  readonly commandLine: string;
  readonly nativeHost: string;
  /** The folder of the extension that browsers load. */
  readonly extension: string;
}

/** The program that runs this. */
export function ownProgram(): Program {
  return { node: process.execPath, ...programs, extension: extensionFolder().folder };
}

/** The clone that this is; `undefined` when it is installed. */
export const cloneFolder = cloneAround(ownPackage);

/** Where the pages about Manypath are. What is laid into the package when it is packed stands at the top of a clone. */
export const docsFolder = join(cloneFolder ?? ownPackage, 'docs');

/** The version of this package. */
export function ownVersion(): string {
  const manifest = readFileSync(join(ownPackage, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

/** The folder of the extension to load, and whether it is built. */
export function extensionFolder(): { folder: string; built: boolean } {
  const folder = join(packageFolder('@manypath/extension'), 'dist');
  return { folder, built: existsSync(join(folder, 'manifest.json')) };
}

/** The folder of a package that comes with this one. */
export function packageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

function cloneAround(folder: string): string | undefined {
  const top = join(folder, '..', '..');
  return existsSync(join(top, 'packages', 'cli', 'src', 'own-files.ts')) ? top : undefined;
}
