import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Lock {
  packages: Record<string, { version?: string; integrity?: string; os?: string; cpu?: string }>;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`node-versions/${name}`, import.meta.url), 'utf8')) as T;
}

describe('the versions of Node.js under which the tests are run', () => {
  const wanted = read<{ optionalDependencies: Record<string, string> }>('package.json').optionalDependencies;
  const { packages } = read<Lock>('package-lock.json');

  it.each(['x64', 'arm64'])('are one release each of 20, 22, 24 and 26 for %s, pinned by its hash', cpu => {
    const names = [20, 22, 24, 26].map(major => `node-${major}-linux-${cpu}`);
    expect(Object.keys(wanted).filter(name => name.endsWith(`-${cpu}`))).toEqual(names);
    for (const name of names) {
      const { version, integrity } = packages[`node_modules/${name}`] ?? {};
      expect(wanted[name]).toBe(`npm:node-linux-${cpu}@${version}`);
      expect(`node-${version?.split('.')[0]}-linux-${cpu}`).toBe(name);
      expect(integrity).toMatch(/^sha512-/);
    }
  });
});
