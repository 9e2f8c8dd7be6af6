import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TemporaryFolder } from '../../src/checks/temporary-folder.ts';

describe('the temporary folder of a run', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is everybody’s while the run lasts, and gone with it', () => {
    const before = tmpdir();
    let path = '';
    {
      using folder = new TemporaryFolder();
      path = folder.path;
      expect(dirname(mkdtempSync(join(tmpdir(), 'made-')))).toBe(path);
    }
    expect(existsSync(path)).toBe(false);
    expect(tmpdir()).toBe(before);
  });

  it('fails the run that leaves something there, and names it', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    using folder = new TemporaryFolder();
    expect(folder.check()).toMatchObject({ passed: 1, failed: 0 });
    const left = mkdtempSync(join(tmpdir(), 'manypath-left-'));
    expect(folder.check()).toMatchObject({ passed: 0, failed: 1 });
    expect(write.mock.calls.map(([text]) => text).join('')).toContain('left behind: manypath-left-');
    rmSync(left, { recursive: true });
  });
});
