import { chmodSync, chownSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../test/support/manypath.ts';
import { changeableByOthers, closedToOthers } from '../../src/install/trust.ts';

const somebody = 65_534;
const isRoot = process.getuid?.() === 0;

/** A program three folders deep, all of it as it should be. */
function programIn(top: string) {
  const folders = [join(top, 'a'), join(top, 'a', 'b'), join(top, 'a', 'b', 'c')];
  for (const folder of folders) {
    mkdirSync(folder);
    chmodSync(folder, 0o755);
  }
  chmodSync(top, 0o755);
  const file = join(top, 'a', 'b', 'c', 'program');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  return { folders, file };
}

describe.runIf(isRoot)('what others than root can change', () => {
  it('is nothing where all is root’s', () => {
    using top = temporaryFolder();
    expect(changeableByOthers(programIn(top.path).file, top.path)).toBeUndefined();
  });

  it('is the outermost of file and folders that belongs to another, or that a group or everybody may write', () => {
    using top = temporaryFolder();
    const { file, folders } = programIn(top.path);
    for (const path of [...folders, file]) {
      const usual = path === file ? 0o644 : 0o755;
      for (const bit of [0o020, 0o002]) {
        chmodSync(path, usual | bit);
        expect(changeableByOthers(file, top.path)).toBe(path);
      }
      chmodSync(path, usual);
      chownSync(path, somebody, 0);
      expect(changeableByOthers(file, top.path)).toBe(path);
      chownSync(path, 0, 0);
    }
    // The way to it begins at the root: the folder for temporary files is everybody's.
    expect(changeableByOthers(file)).toBe('/tmp');
  });

  it('is a link of another, and what is on the way behind a link, also behind two', () => {
    using top = temporaryFolder();
    const { file, folders } = programIn(top.path);
    const [first, second] = [join(top.path, 'first'), join(top.path, 'second')];
    symlinkSync('second', first);
    symlinkSync(join('a', 'b'), second);
    const behind = join(first, 'c', 'program');
    expect(changeableByOthers(behind, top.path)).toBeUndefined();
    chmodSync(folders[1] ?? '', 0o775);
    expect(changeableByOthers(behind, top.path)).toBe(folders[1]);
    chmodSync(folders[1] ?? '', 0o755);
    lchownSync(second, somebody, 0);
    expect(changeableByOthers(behind, top.path)).toBe(second);
    expect(changeableByOthers(file, top.path)).toBeUndefined();
  });

  it('is a link that leads round in a circle, since it leads nowhere', () => {
    using top = temporaryFolder();
    const link = join(top.path, 'link');
    symlinkSync('link', link);
    expect(changeableByOthers(link, top.path)).toBe(link);
  });
});

describe('a program for all users', () => {
  it('is told to be closed to them by the outermost folder that is', () => {
    using top = temporaryFolder();
    const { file, folders } = programIn(top.path);
    expect(closedToOthers(file)).toBeUndefined();
    chmodSync(file, 0o600);
    expect(closedToOthers(file)).toBe(file);
    chmodSync(folders[0] ?? '', 0o700);
    expect(closedToOthers(file)).toBe(folders[0]);
  });
});
