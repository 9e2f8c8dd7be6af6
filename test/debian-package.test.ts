import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from './support/manypath.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const canBuild = spawnSync('dpkg-deb', ['--version']).error === undefined;

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 });

/** What the package would put onto a machine; with this Node, so that none has to be fetched. */
describe.runIf(canBuild)('the package for Debian', () => {
  const temporary = temporaryFolder();
  const machine = join(temporary.path, 'machine');
  let file = '';

  beforeAll(() => {
    const options = JSON.stringify({ arch: process.arch, compression: 'none', node: process.execPath });
    const script = `
      import { buildDeb } from ${JSON.stringify(join(root, 'packaging/deb.mjs'))};
      console.log(await buildDeb(${JSON.stringify(temporary.path)}, ${options}));`;
    file = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).trim();
    execFileSync('dpkg-deb', ['-x', file, machine]);
  });
  afterAll(() => temporary[Symbol.dispose]());

  const manypath = (...parameters: string[]) =>
    spawnSync(join(machine, 'usr/bin/manypath'), parameters, {
      encoding: 'utf8',
      env: { HOME: temporary.path, PATH: '/usr/bin:/bin' },
    });

  it('names what it needs, and no Node', () => {
    const depends = execFileSync('dpkg-deb', ['-f', file, 'Depends'], { encoding: 'utf8' });
    expect(depends).toContain('iproute2');
    expect(depends).not.toContain('node');
  });

  it('runs by itself, with pages, extension and manual', () => {
    expect(manypath('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(manypath('up', '--config', '/nonexistent.json').stderr).toMatch(/\[MANYPATH_\w+\]/);
    const program = join(machine, 'usr/lib/manypath');
    for (const path of ['docs/CONFIG.md', 'node_modules/@manypath/extension/dist/manifest.json']) {
      expect([path, existsSync(join(program, path))]).toEqual([path, true]);
    }
    expect(readFileSync(join(machine, 'usr/share/man/man1/manypath.1'), 'utf8')).toMatch(/^\.TH /m);
    expect(readFileSync(join(machine, 'usr/share/doc/manypath/copyright'), 'utf8')).toMatch(/^MIT License/);
  });

  it('belongs to root, and nobody else may write', () => {
    const listing = execFileSync('dpkg-deb', ['-c', file], { encoding: 'utf8' }).trim().split('\n');
    const wrong = listing.filter(
      line => !/^(l|[d-]rw[x-]r-[x-]r-[x-]) ?/.test(line) || !line.includes('root/root'),
    );
    expect(wrong).toEqual([]);
    for (const path of readdirSync(machine, { recursive: true, encoding: 'utf8' })) {
      const stats = lstatSync(join(machine, path));
      if (!stats.isSymbolicLink()) expect([path, stats.mode & 0o022]).toEqual([path, 0]);
      else
        expect([path, statSync(join(machine, path), { throwIfNoEntry: false }) === undefined]).toEqual([
          path,
          false,
        ]);
    }
  });

  it('brings units that start what it brings', () => {
    for (const unit of ['user/manypath.service', 'system/manypath-helper.service']) {
      const text = readFileSync(join(machine, 'usr/lib/systemd', unit), 'utf8');
      const [, ...words] = /^ExecStart=(\S+) (\S+)/m.exec(text) ?? [];
      expect(words).toHaveLength(2);
      expect(words.filter(word => !existsSync(join(machine, word)))).toEqual([]);
    }
  });
});
