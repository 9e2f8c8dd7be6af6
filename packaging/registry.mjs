/** Packages from the registry for other machines than this one, as the lock files pin them. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { inTemporaryFolder, readJson, root, run } from './places.mjs';

const cache = join(root, '.manypath', 'packed');

/** Node as the package for Debian brings it: a binary for an older glibc than Debian's. @returns Its folder. */
export function fetchNode(arch) {
  return fetchLocked(join(root, 'test', 'node-versions', 'package-lock.json'), `node-24-linux-${arch}`);
}

/** The compiled part of koffi for a kind of machine. @returns Its folder. */
export function fetchKoffi(arch) {
  return fetchLocked(join(root, 'package-lock.json'), `@koromix/koffi-linux-${arch}`);
}

/** @param installedAs Its folder below `node_modules`, by which the lock file knows it. */
async function fetchLocked(lockFile, installedAs) {
  const entry = readJson(lockFile).packages[`node_modules/${installedAs}`];
  if (entry === undefined) throw new Error(`${lockFile} has no ${installedAs}`);
  const { version, integrity, name = installedAs } = entry;
  const folder = join(cache, `${name.replace('/', '+')}-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  await inTemporaryFolder(temporary => {
    const file = join(temporary, run(['npm', 'pack', '--silent', `${name}@${version}`], { cwd: temporary }));
    const [algorithm, expected] = integrity.split('-', 2);
    const found = createHash(algorithm).update(readFileSync(file)).digest('base64');
    if (found !== expected) throw new Error(`${name}@${version} is not what ${lockFile} says it is`);
    mkdirSync(`${folder}.new`, { recursive: true });
    run(['tar', '-xzf', file, '-C', `${folder}.new`, '--strip-components=1']);
    renameSync(`${folder}.new`, folder);
  });
  return folder;
}
