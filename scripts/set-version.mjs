/** Gives all rooms one version, `npm run set-version -- VERSION`: in each package, in what they ask of each other, and in the lock file. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [version = ''] = process.argv.slice(2);

if (!/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version)) {
  process.stderr.write('usage: npm run set-version -- MAJOR.MINOR.PATCH[-PRERELEASE]\n');
  process.exit(64);
}
for (const file of manifests()) {
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  manifest.version = version;
  for (const kind of ['dependencies', 'devDependencies']) {
    for (const name of Object.keys(manifest[kind] ?? {})) {
      if (name.startsWith('@manypath/')) manifest[kind][name] = version;
    }
  }
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
const npm = spawnSync('npm', ['install', '--package-lock-only', '--ignore-scripts'], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = npm.status ?? 1;

function manifests() {
  const query = spawnSync('npm', ['query', '.workspace'], { cwd: root, encoding: 'utf8' });
  return JSON.parse(query.stdout).map(({ path }) => join(path, 'package.json'));
}
