import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const rooms = [...readdirSync(join(root, 'packages')).map(name => join('packages', name)), 'lab', 'bench'];

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license: string;
  readonly type: string;
  readonly files?: readonly string[];
  readonly scripts?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const manifests = rooms.map(room => ({
  room,
  manifest: JSON.parse(readFileSync(join(root, room, 'package.json'), 'utf8')) as Manifest,
}));
const packed = manifests.filter(({ manifest }) => manifest.private !== true);

describe('the packages', () => {
  it('have one version, also in what they ask of each other', () => {
    const versions = manifests.flatMap(({ room, manifest }) => [
      [room, manifest.version],
      ...Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([name]) =>
        name.startsWith('@manypath/'),
      ),
    ]);
    const [, version] = versions[0] ?? [];
    expect(versions.filter(([, found]) => found !== version)).toEqual([]);
    expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`## ${version}`);
  });

  it('are under the licence of the project', () => {
    expect(readFileSync(join(root, 'LICENSE'), 'utf8')).toMatch(/^MIT License/);
    expect(manifests.filter(({ manifest }) => manifest.license !== 'MIT')).toEqual([]);
  });

  for (const { room, manifest } of packed) {
    it(`${manifest.name} says what it is, and packs what is built and nothing else`, () => {
      expect(readFileSync(join(root, room, 'README.md'), 'utf8')).toContain('MIT licence.');
      expect(manifest.files).toContain('dist');
      expect(manifest.scripts?.prepack).toMatch(/scripts\/prepack\.mjs$/);
      // By this its folder is found, wherever it is installed.
      if (manifest.exports !== undefined) expect(manifest.exports['./package.json']).toBe('./package.json');
    });
  }

  it('ask for no package of the clone that is not packed', () => {
    const names = new Set(packed.map(({ manifest }) => manifest.name));
    const asked = packed.flatMap(({ manifest }) => Object.keys(manifest.dependencies ?? {}));
    expect(asked.filter(name => name.startsWith('@manypath/') && !names.has(name))).toEqual([]);
  });

  it('have every page that a message points to', () => {
    const sources = rooms.flatMap(room => {
      const folder = join(root, room, 'src');
      return readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith('.ts'))
        .map(name => readFileSync(join(folder, name), 'utf8'));
    });
    const pages = sources.flatMap(text => text.match(/\bdocs\/[A-Z]+\.md\b/g) ?? []);
    expect([...new Set(pages)].filter(page => !existsSync(join(root, page)))).toEqual([]);
  });
});
