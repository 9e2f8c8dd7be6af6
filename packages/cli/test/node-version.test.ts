import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { complaintAbout } from '../src/node-version.ts';

describe('the version of Node', () => {
  it('is enough from the one that package.json asks for', () => {
    const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
    const { engines } = JSON.parse(manifest) as { engines: { node: string } };
    const oldest = `${engines.node.replace('>=', '')}.0`;
    for (const version of [oldest, '20.20.2', '22.0.0', '26.12.1']) {
      expect([version, complaintAbout(version)]).toEqual([version, undefined]);
    }
  });

  it('is told to be too old, with what to do, in lines of 80 columns', () => {
    for (const version of ['12.22.12', '18.20.4', '20.18.3']) {
      const complaint = complaintAbout(version) ?? '';
      expect(complaint).toContain(`this is ${version}.`);
      expect(complaint).toContain('node@24');
      expect(`manypath: ${complaint}`.split('\n').filter(line => line.length > 80)).toEqual([]);
    }
  });
});
