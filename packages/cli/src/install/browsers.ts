import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BrowserNotFoundError } from '../browser/errors.ts';
import { isOnPath } from '../system-packages.ts';
import type { InstallPlaces } from './places.ts';

/** What `--browser` takes, besides `all`. */
export const browserNames = ['chromium', 'chrome', 'edge', 'brave'] as const;

export type BrowserName = (typeof browserNames)[number];

/** A browser that gets to know the native messaging host. */
export interface InstallTarget {
  /** For people. */
  readonly title: string;
  /** `null`: a folder that the user named, of whatever browser. */
  readonly browser: BrowserName | null;
  /** Where it looks for manifests of native messaging hosts. */
  readonly folder: string;
}

interface Family {
  readonly title: string;
  readonly programs: readonly string[];
  /** Below the folder for configurations; the first is the usual one, the others are other channels. */
  readonly userFolders: readonly string[];
  /** Below the root. Brave reads what is meant for Chrome. */
  readonly systemFolder: string;
}

const families: Record<BrowserName, Family> = {
  chromium: {
    title: 'Chromium',
    programs: ['chromium', 'chromium-browser', 'ungoogled-chromium'],
    userFolders: ['chromium'],
    systemFolder: 'etc/chromium/native-messaging-hosts',
  },
  chrome: {
    title: 'Chrome',
    programs: ['google-chrome-stable', 'google-chrome', 'chrome'],
    userFolders: [
      'google-chrome',
      'google-chrome-beta',
      'google-chrome-unstable',
      'google-chrome-for-testing',
    ],
    systemFolder: 'etc/opt/chrome/native-messaging-hosts',
  },
  edge: {
    title: 'Edge',
    programs: ['microsoft-edge-stable', 'microsoft-edge'],
    userFolders: ['microsoft-edge', 'microsoft-edge-beta', 'microsoft-edge-dev'],
    systemFolder: 'etc/opt/edge/native-messaging-hosts',
  },
  brave: {
    title: 'Brave',
    programs: ['brave-browser-stable', 'brave-browser', 'brave'],
    userFolders: [
      'BraveSoftware/Brave-Browser',
      'BraveSoftware/Brave-Browser-Beta',
      'BraveSoftware/Brave-Browser-Nightly',
    ],
    systemFolder: 'etc/opt/chrome/native-messaging-hosts',
  },
};

/** Which browsers {@link installTargets} names. */
export interface TargetChoice {
  /** Default: those that are installed, or none when a folder is named. */
  readonly browser?: BrowserName | 'all' | undefined;
  /** A user data folder (`--user-data-dir` of the browser). */
  readonly userDataDir?: string | undefined;
}

/**
 * The folders where the chosen browsers look.
 *
 * @throws BrowserNotFoundError `MANYPATH_BROWSER_NOT_FOUND`, none was chosen and none is there
 */
export function installTargets(
  places: InstallPlaces,
  { browser, userDataDir }: TargetChoice,
): InstallTarget[] {
  const targets: InstallTarget[] = [];
  if (userDataDir !== undefined) {
    targets.push({ title: userDataDir, browser: null, folder: join(userDataDir, hostFolder) });
    if (browser === undefined) return targets;
  }
  for (const name of chosenNames(places, browser)) targets.push(...targetsOf(places, name));
  return targets;
}

/** Below a user data folder. */
export const hostFolder = 'NativeMessagingHosts';

function chosenNames(places: InstallPlaces, browser: TargetChoice['browser']): readonly BrowserName[] {
  if (browser === 'all') return browserNames;
  if (browser !== undefined) return [browser];
  const found = browserNames.filter(name => isInstalled(places, families[name]));
  if (found.length === 0) {
    throw new BrowserNotFoundError(
      'no Chromium, Chrome, Edge or Brave was found; --browser all does not look',
    );
  }
  return found;
}

function isInstalled(places: InstallPlaces, family: Family): boolean {
  if (family.programs.some(isOnPath)) return true;
  return !places.system && family.userFolders.some(folder => existsSync(join(places.browserHome, folder)));
}

function targetsOf(places: InstallPlaces, browser: BrowserName): InstallTarget[] {
  const { title, userFolders, systemFolder } = families[browser];
  if (places.system) return [{ title, browser, folder: join(places.root, systemFolder) }];
  const present = userFolders.filter(folder => existsSync(join(places.browserHome, folder)));
  // One that was never started has no folder yet.
  const folders = present.length > 0 ? present : userFolders.slice(0, 1);
  return folders.map(folder => ({ title, browser, folder: join(places.browserHome, folder, hostFolder) }));
}
