import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
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

  for (const room of rooms) {
    const file = sources(room).find(({ name }) => name === 'limits.ts');
    if (file === undefined) continue;
    it(`lists every limit of ${room}`, () => {
      const names = [...file.text.matchAll(/^ {2}([a-z][A-Za-z0-9]+): /gm)].map(match => match[1] ?? '');
      expect(names.length).toBeGreaterThan(0);
      expect(names.filter(name => !page.includes(`\`${name}\``))).toEqual([]);
    });
  }
});

interface Source {
  name: string;
  text: string;
}

function sources(room: string): Source[] {
  const folder = join(root, room, 'src');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => ({ name: entry.name, text: readFileSync(join(entry.parentPath, entry.name), 'utf8') }));
}

/** Names of environment variables look like codes. */
const environmentNames = new Set(['MANYPATH_BROWSER', 'MANYPATH_LAB_INSIDE', 'MANYPATH_REQUIRE']);

/** Codes stand in the sources as whole string literals. */
function errorCodes({ text }: Source): string[] {
  const literals = [...text.matchAll(/'((?:MANYPATH|MPTCP)_[A-Z0-9_]+)'/g)].map(match => match[1] ?? '');
  return literals.filter(code => !environmentNames.has(code));
}
