import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBrowser } from '../../src/browser/find-browser.ts';

describe('findBrowser', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'mpbr-find-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const install = (path: string, text = '#!/bin/sh\n', mode = 0o755) => {
    const file = join(root, path);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, mode);
    return file;
  };
  const find = (environment: NodeJS.ProcessEnv = {}, chosen?: string) =>
    findBrowser({
      chosen,
      environment: { PATH: join(root, 'path'), ...environment },
      folders: [join(root, 'known')],
    });

  it('prefers Chromium, then Chrome, Brave and Edge, wherever they are', () => {
    install('path/microsoft-edge');
    expect(find().name).toBe('Edge');
    install('known/brave-browser');
    expect(find().name).toBe('Brave');
    install('path/google-chrome');
    expect(find().name).toBe('Chrome');
    const chromium = install('known/chromium');
    expect(find()).toEqual({ name: 'Chromium', path: chromium, snap: false });
  });

  it('passes over what is no program', () => {
    install('path/chromium', '', 0o644);
    mkdirSync(join(root, 'path', 'google-chrome'));
    const brave = install('path/brave');
    expect(find().path).toBe(brave);
  });

  it('prefers any browser to a snap, which it knows by link and by script', () => {
    install('path/chromium-browser', '#!/bin/sh\nexec /snap/bin/chromium "$@"\n');
    expect(find()).toMatchObject({ name: 'Chromium', snap: true });
    install('usr/bin/snap');
    symlinkSync(join(root, 'usr/bin/snap'), join(root, 'path', 'chromium'));
    expect(find()).toMatchObject({ snap: true });
    install('path/microsoft-edge');
    expect(find()).toMatchObject({ name: 'Edge', snap: false });
  });

  it('takes the one that was chosen: option, then MANYPATH_BROWSER, by path or by name', () => {
    install('path/chromium');
    const mine = install('mine/my-browser');
    const named = install('path/brave');
    expect(find({}, mine)).toEqual({ name: 'my-browser', path: mine, snap: false });
    expect(find({ MANYPATH_BROWSER: mine }).path).toBe(mine);
    expect(find({ MANYPATH_BROWSER: mine }, 'brave')).toEqual({ name: 'Brave', path: named, snap: false });
  });

  it('says what to install when there is none', () => {
    expect(() => find()).toThrow(
      expect.objectContaining({
        code: 'MANYPATH_BROWSER_NOT_FOUND',
        hint: expect.stringContaining('apt-get install chromium'),
      }),
    );
    expect(() => find({}, join(root, 'none'))).toThrow(
      expect.objectContaining({ code: 'MANYPATH_BROWSER_NOT_FOUND' }),
    );
  });
});
