/** Tarballs for npm. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyProgram } from '../packages/cli/dist/install/index.js';
import { inTemporaryFolder, readJson, run, version, writeJson } from './places.mjs';
import { fetchKoffi } from './registry.mjs';

/** What others build on. */
const libraries = ['packages/core', 'packages/mptcp', 'packages/page'];

/** Kinds of machines that one tarball serves. */
const machines = ['x64', 'arm64'];

/**
 * The command line with all that it depends on inside: one file, in the versions that were tested, that installs without a network.
 *
 * @returns Its path.
 */
export function packCommandLine(target) {
  return inTemporaryFolder(async temporary => {
    const folder = join(temporary, 'manypath');
    copyProgram(folder);
    // npm makes the command itself.
    rmSync(join(folder, 'bin'), { recursive: true });
    const parts = join(folder, 'node_modules');
    for (const arch of machines) {
      cpSync(await fetchKoffi(arch), join(parts, '@koromix', `koffi-linux-${arch}`), { recursive: true });
    }
    withoutOtherMachines(join(parts, 'koffi', 'package.json'));
    const { scripts, devDependencies, ...manifest } = readJson(join(folder, 'package.json'));
    const dependencies = { ...manifest.dependencies };
    writeJson(join(folder, 'package.json'), {
      ...manifest,
      bundleDependencies: Object.keys(dependencies),
    });
    run(['npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', target], { cwd: folder });
    return join(target, `manypath-${version}.tgz`);
  });
}

/** npm would ask the registry for the parts that are not here. */
function withoutOtherMachines(file) {
  const { optionalDependencies, scripts, ...manifest } = readJson(file);
  const kept = Object.entries(optionalDependencies).filter(([name]) =>
    machines.some(arch => name === `@koromix/koffi-linux-${arch}`),
  );
  writeJson(file, { ...manifest, optionalDependencies: Object.fromEntries(kept) });
}

/** @returns Their paths. */
export function packLibraries(target) {
  const rooms = libraries.flatMap(room => ['--workspace', room]);
  const names = run(['npm', 'pack', '--silent', ...rooms, '--pack-destination', target]);
  return names
    .split('\n')
    .filter(name => name.endsWith('.tgz'))
    .map(name => join(target, name));
}
