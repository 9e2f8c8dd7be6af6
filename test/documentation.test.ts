import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const rooms = [...readdirSync(join(root, 'packages')).map(name => join('packages', name)), 'lab'];

describe('docs/ERRORS.md', () => {
  const page = readFileSync(join(root, 'docs/ERRORS.md'), 'utf8');
  const rows = new Set([...page.matchAll(/^\| `([A-Z][A-Z0-9_]+)`/gm)].map(match => match[1]));

  it('has a row for every error code in the sources', () => {
    const codes = rooms.flatMap(room => sources(room).flatMap(errorCodes));
    expect([...new Set(codes)].filter(code => !rows.has(code)).sort()).toEqual([]);
  });

  it('has no row for a code that is gone', () => {
    const codes = new Set(rooms.flatMap(room => sources(room).flatMap(errorCodes)));
    expect([...rows].filter(code => code !== undefined && !codes.has(code))).toEqual([]);
  });
});

describe('docs/LIMITS.md', () => {
  const page = readFileSync(join(root, 'docs/LIMITS.md'), 'utf8');

  const rows = [...page.matchAll(/^\| `([A-Za-z.]+)` \| ([^|]+) \|/gm)].map(([, name, value]) => ({
    name,
    value: value?.replaceAll(/\s/g, ''),
  }));

  it('has no row for a limit that is gone', () => {
    const text = rooms.flatMap(room => sources(room).map(source => source.text)).join('\n');
    const names = new Set(text.match(/[A-Za-z]+/g));
    expect(rows.filter(({ name = '' }) => !names.has(name.split('.').at(-1) ?? ''))).toEqual([]);
  });

  const files = rooms.flatMap(sources).map(({ path }) => path);
  for (const file of files.filter(path => basename(path) === 'limits.ts')) {
    it(`lists every limit of ${file}, with its default`, async () => {
      const exported: Record<string, unknown> = await import(join(root, file));
      const limits = Object.values(exported).flatMap(value => Object.entries(value ?? {}));
      expect(limits.length).toBeGreaterThan(0);
      const isListed = ([name, value]: [string, unknown]) =>
        rows.some(row => row.name === name && row.value === String(value));
      expect(limits.filter(limit => !isListed(limit))).toEqual([]);
    });
  }
});

interface Source {
  /** From the top of the clone. */
  path: string;
  text: string;
}

function sources(room: string): Source[] {
  const folder = join(root, room, 'src');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
    .map(file => ({ path: relative(root, file), text: readFileSync(file, 'utf8') }));
}

/** Names of environment variables look like codes. */
const environmentNames = new Set(['MANYPATH_BROWSER', 'MANYPATH_LAB_INSIDE', 'MANYPATH_REQUIRE']);

/** Codes stand in the sources as whole string literals. */
function errorCodes({ text }: Source): string[] {
  const literals = [...text.matchAll(/'((?:MANYPATH|MPTCP)_[A-Z0-9_]+)'/g)].map(match => match[1] ?? '');
  return literals.filter(code => !environmentNames.has(code));
}
