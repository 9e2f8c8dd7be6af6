import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFolder } from '../src/index.ts';

describe('a folder that is made', () => {
  let top = '';
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'manypath-make-folder-'));
  });
  afterEach(() => rmSync(top, { recursive: true, force: true }));

  it('comes with those above it, for its owner alone', () => {
    makeFolder(join(top, 'a/b/c'));
    for (const folder of ['a', 'a/b', 'a/b/c']) expect(statSync(join(top, folder)).mode & 0o777).toBe(0o700);
  });

  it('stays as it is when it is there, or a link to one is', () => {
    mkdirSync(join(top, 'there'), { mode: 0o755 });
    symlinkSync(join(top, 'there'), join(top, 'link'));
    makeFolder(join(top, 'there'));
    makeFolder(join(top, 'link'));
    makeFolder(join(top, 'link/below'));
    expect(statSync(join(top, 'there')).mode & 0o777).toBe(0o755);
    expect(statSync(join(top, 'there/below')).isDirectory()).toBe(true);
  });

  it('is refused where a file is in the way', () => {
    writeFileSync(join(top, 'file'), '');
    expect(() => makeFolder(join(top, 'file'))).toThrow('EEXIST');
    expect(() => makeFolder(join(top, 'file/below'))).toThrow('ENOTDIR');
    symlinkSync(join(top, 'nowhere'), join(top, 'dangling'));
    expect(() => makeFolder(join(top, 'dangling/below'))).toThrow('EEXIST');
  });

  it.runIf(process.platform === 'linux')('is refused, and at once, where the system makes none', () => {
    expect(() => makeFolder('/proc/manypath/deep')).toThrow('ENOENT');
  });
});
