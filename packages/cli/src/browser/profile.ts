import { mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '@manypath/files';
import { ProfileNameError } from './errors.ts';
import type { Browser } from './find-browser.ts';

/** The folder with the browser's profile. */
export interface Profile {
  readonly folder: string;
  /** Whether the folder goes when the browser has gone. */
  readonly temporary: boolean;
  /** For a line to people. */
  readonly description: string;
}

/** Which profile {@link openProfile} opens. */
export interface ProfileOptions {
  readonly browser: Browser;
  readonly stateDir: string;
  /** Name of a profile that is kept; default: a fresh one. */
  readonly name?: string | undefined;
  /** A folder of the user's own (`--user-data-dir`), which comes before all else. */
  readonly folder?: string | undefined;
}

/**
 * Finds or makes the folder of the profile: fresh in the folder for temporary files, or kept under its name
 * below the state folder. Only its owner can enter it.
 *
 * @throws ProfileNameError `MANYPATH_PROFILE_NAME_INVALID`
 */
export function openProfile({ browser, stateDir, name, folder }: ProfileOptions): Profile {
  if (folder !== undefined) return { folder, temporary: false, description: `profile ${folder}` };
  if (name === undefined) {
    const fresh = mkdtempSync(join(browser.snap ? snapFolder(browser) : tmpdir(), 'manypath-profile-'));
    return { folder: fresh, temporary: true, description: 'fresh profile' };
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) throw new ProfileNameError(name);
  const kept = join(browser.snap ? snapFolder(browser) : stateDir, 'profiles', name);
  makeFolder(kept);
  return { folder: kept, temporary: false, description: `profile "${name}"` };
}

/** A snap sees neither hidden folders of the home nor our temporary ones. */
function snapFolder(browser: Browser): string {
  const snap = browser.path.slice(browser.path.lastIndexOf('/') + 1).replace(/-browser$/, '');
  const folder = join(homedir(), 'snap', snap, 'common', 'manypath');
  makeFolder(folder);
  return folder;
}
