import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** The floors of the house: a room may import only the rooms named beside it. */
const mayImport: Record<string, readonly string[]> = {
  'packages/core': [],
  'packages/mptcp': ['packages/core'],
  'packages/session': ['packages/core'],
  'packages/transport': ['packages/core', 'packages/mptcp', 'packages/session'],
  'packages/files': ['packages/core', 'packages/mptcp'],
  'packages/forward': ['packages/core', 'packages/mptcp'],
  'packages/paths': ['packages/core', 'packages/mptcp', 'packages/files'],
  'packages/relay': [
    'packages/core',
    'packages/mptcp',
    'packages/files',
    'packages/forward',
    'packages/session',
    'packages/transport',
  ],
  'packages/gateway': [
    'packages/core',
    'packages/mptcp',
    'packages/forward',
    'packages/paths',
    'packages/session',
    'packages/transport',
  ],
  'packages/page': ['packages/core'],
  'packages/extension': ['packages/core', 'packages/page'],
  lab: ['packages/core', 'packages/mptcp'],
  'packages/cli': [
    'packages/core',
    'packages/mptcp',
    'packages/files',
    'packages/forward',
    'packages/paths',
    'packages/relay',
    'packages/gateway',
    'lab',
  ],
  bench: [
    'packages/core',
    'packages/mptcp',
    'packages/forward',
    'packages/paths',
    'packages/relay',
    'packages/gateway',
    'lab',
  ],
};

/** What each room may take from npm at run time; everything else there is a new dependency to argue for. */
const mayDependOn: Record<string, readonly string[]> = {
  'packages/core': ['valibot'],
  'packages/mptcp': ['koffi', 'undici'],
  'packages/extension': ['preact', '@preact/signals', 'uplot'],
  'packages/cli': ['commander', 'pino'],
  bench: ['playwright-core', 'ws'],
};

const roomOfPackage = new Map(
  Object.keys(mayImport).map(room => {
    const manifest = JSON.parse(readFileSync(join(root, room, 'package.json'), 'utf8')) as { name: string };
    return [manifest.name, room] as const;
  }),
);

describe('the house', () => {
  it('has a place on a floor for every room', () => {
    const found = readdirSync(join(root, 'packages')).map(name => `packages/${name}`);
    expect(found.filter(room => mayImport[room] === undefined)).toEqual([]);
  });

  for (const room of Object.keys(mayImport)) {
    describe(room, () => {
      const imports = sourceFiles(join(root, room, 'src')).flatMap(importsOf);

      it('imports only rooms below it', () => {
        const wrong = imports.filter(({ specifier }) => {
          const target = roomOfPackage.get(packageName(specifier));
          return target !== undefined && target !== room && !mayImport[room]?.includes(target);
        });
        expect(wrong).toEqual([]);
      });

      it('reaches other rooms by their name, never into their folders', () => {
        const wrong = imports.filter(({ specifier, file }) => {
          if (!specifier.startsWith('.')) return false;
          return !resolve(dirname(join(root, file)), specifier).startsWith(join(root, room) + sep);
        });
        expect(wrong).toEqual([]);
      });

      it('has no files that import each other in a circle', () => {
        expect(circles(imports)).toEqual([]);
      });

      it('takes from npm only what has been argued for', () => {
        const wrong = imports.filter(({ specifier }) => {
          if (specifier.startsWith('.') || specifier.startsWith('node:')) return false;
          const name = packageName(specifier);
          return !roomOfPackage.has(name) && !(mayDependOn[room] ?? []).includes(name);
        });
        expect(wrong).toEqual([]);
      });
    });
  }

  it('calls the C library in one file only', () => {
    const files = Object.keys(mayImport).flatMap(room => sourceFiles(join(root, room, 'src')));
    const callers = files.filter(file => readFileSync(file, 'utf8').includes("'koffi'"));
    expect(callers.map(file => relative(root, file))).toEqual(['packages/mptcp/src/kernel/libc.ts']);
  });

  it.each(['packages/core', 'packages/session'])('keeps %s free of any platform', room => {
    const imports = sourceFiles(join(root, room, 'src')).flatMap(importsOf);
    expect(imports.filter(({ specifier }) => specifier.startsWith('node:'))).toEqual([]);
  });
});

interface Import {
  file: string;
  specifier: string;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(file => file.endsWith('.ts') && statSync(file).isFile());
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*'([^']+)'|import\s*\(\s*'([^']+)'|(?:^|\n)import\s+'([^']+)'/g;
  return [...text.matchAll(pattern)].map(match => ({
    file: relative(root, file),
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
  }));
}

/** Files of one room that cannot be understood without each other, if only for a type; each circle once. */
function circles(imports: readonly Import[]): string[] {
  const needs = new Map<string, string[]>();
  for (const { file, specifier } of imports) {
    if (!specifier.startsWith('.')) continue;
    needs.set(file, [...(needs.get(file) ?? []), join(dirname(file), specifier)]);
  }
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(' → '));
    else if (!done.has(file)) {
      for (const next of needs.get(file) ?? []) visit(next, [...way, file]);
      done.add(file);
    }
  };
  for (const file of needs.keys()) visit(file, []);
  return found;
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}
