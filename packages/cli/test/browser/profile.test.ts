import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Caretaker } from '../../src/browser/caretaker.ts';
import { explainRefusal } from '../../src/browser/namespace-refusal.ts';
import { openProfile } from '../../src/browser/profile.ts';

const browser = { name: 'Chromium', path: '/usr/bin/chromium', snap: false };

describe('the profile', () => {
  let stateDir: string;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'mpbr-profile-'));
  });
  afterEach(() => rmSync(stateDir, { recursive: true }));

  it('is fresh, its owner’s only, and removed by the caretaker', async () => {
    const profile = openProfile({ browser, stateDir });
    expect(statSync(profile.folder).mode & 0o777).toBe(0o700);
    writeFileSync(join(profile.folder, 'cookies'), '');
    await new Caretaker(profile, 1000).finish();
    expect(existsSync(profile.folder)).toBe(false);
  });

  it('is kept under its name', async () => {
    const profile = openProfile({ browser, stateDir, name: 'work' });
    expect(profile.folder).toBe(join(stateDir, 'profiles', 'work'));
    await new Caretaker(profile, 1000).finish();
    expect(statSync(profile.folder).mode & 0o777).toBe(0o700);
    expect(openProfile({ browser, stateDir, name: 'work' }).folder).toBe(profile.folder);
  });

  it('is the folder of the user when there is one', async () => {
    const profile = openProfile({ browser, stateDir, name: 'work', folder: stateDir });
    expect(profile).toMatchObject({ folder: stateDir, temporary: false });
    await new Caretaker(profile, 1000).finish();
    expect(existsSync(stateDir)).toBe(true);
  });

  it('has a name that leads nowhere else', () => {
    for (const name of ['', '.', '..', '../x', 'a/b', '-x', 'a b', 'x'.repeat(65)]) {
      expect(() => openProfile({ browser, stateDir, name })).toThrow(
        expect.objectContaining({ code: 'MANYPATH_PROFILE_NAME_INVALID' }),
      );
    }
  });
});

describe('a refused namespace', () => {
  const settings = (file: string) =>
    file.includes('apparmor') ? '1' : file.includes('max_user') ? '100' : undefined;

  it('is explained by the setting that forbids it', () => {
    const text = explainRefusal('unshare: unshare failed: Operation not permitted', settings);
    expect(text).toContain('AppArmor');
  });

  it('is left in the words of the system where no setting explains it', () => {
    expect(explainRefusal('ip is not installed', settings)).toBe('ip is not installed');
    expect(explainRefusal('Operation not permitted', () => undefined)).toBe('Operation not permitted');
  });
});
