import { existsSync } from 'node:fs';
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

/** What is laid into the package when it is packed stands at the top of a clone. */
const clone = join(ownPackage, '..', '..');

/** Where the pages about Manypath are. */
export const docsFolder = firstOf(join(ownPackage, 'docs'), join(clone, 'docs'));

/** The folder of the extension to load, and whether it is built. */
export function extensionFolder(): { folder: string; built: boolean } {
  const folder = join(packageFolder('@manypath/extension'), 'dist');
  return { folder, built: existsSync(join(folder, 'manifest.json')) };
}

/** The folder of a package that comes with this one. */
export function packageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}

function firstOf(usual: string, otherwise: string): string {
  return existsSync(usual) ? usual : otherwise;
}
