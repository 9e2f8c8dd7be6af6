import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFile, replaceFile } from '../src/index.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-replace-'));
  file = join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = () => readFileSync(file, 'utf8');
const mode = () => statSync(file).mode & 0o777;

describe('a file that is replaced', () => {
  for (const durable of [false, true]) {
    it(`has the new content and nobody else's eyes on it${durable ? ', for good' : ''}`, () => {
      writeFileSync(file, 'old', { mode: 0o644 });
      replaceFile(file, 'new', { durable });
      expect([text(), mode(), readdirSync(folder)]).toEqual(['new', 0o600, ['file']]);
    });
  }

  it('has the permissions that are asked for, whatever the umask', () => {
    const before = process.umask(0o077);
    try {
      replaceFile(file, 'x', { mode: 0o755 });
    } finally {
      process.umask(before);
    }
    expect(mode()).toBe(0o755);
  });

  it('stays as it was when it cannot be replaced, and no draft is left', () => {
    rmSync(file, { force: true });
    // A folder cannot be replaced by a file.
    const inside = join(folder, 'folder', 'x');
    expect(() => replaceFile(inside, 'x')).toThrow('ENOENT');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes drafts away that killed processes left, and no others', () => {
    const living = process.ppid;
    for (const pid of [4_194_303, process.pid, living]) writeFileSync(`${file}.${pid}`, 'half');
    writeFileSync(`${file}.lock`, '');
    chmodSync(`${file}.${living}`, 0o600);
    replaceFile(file, 'whole');
    expect(readdirSync(folder).sort()).toEqual(['file', `file.${living}`, 'file.lock'].sort());
  });
});

describe('a file that is made', () => {
  it('is written once: who comes second learns that it is there', () => {
    expect(createFile(file, 'first')).toBe(true);
    expect(createFile(file, 'second')).toBe(false);
    expect([text(), mode(), readdirSync(folder)]).toEqual(['first', 0o600, ['file']]);
  });
});
