import { accessSync, closeSync, constants, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { BrowserNotFoundError } from './errors.ts';

/** A browser that can be started. */
export interface Browser {
  /** What people call it. */
  readonly name: string;
  /** Absolute path of the program, or of the script that starts it. */
  readonly path: string;
  /** Packed as a snap: its own confinement does not go together with our namespace. */
  readonly snap: boolean;
}

/** The browsers that are looked for, best known first, and what their programs are called. */
const families = [
  { name: 'Chromium', programs: ['chromium', 'chromium-browser', 'ungoogled-chromium'] },
  { name: 'Chrome', programs: ['google-chrome-stable', 'google-chrome', 'chrome'] },
  { name: 'Brave', programs: ['brave-browser-stable', 'brave-browser', 'brave'] },
  { name: 'Edge', programs: ['microsoft-edge-stable', 'microsoft-edge'] },
] as const;

/** Where packages put browsers, for when PATH does not say. */
const knownFolders = [
  '/usr/local/bin',
  '/usr/bin',
  '/usr/lib/chromium',
  '/opt/google/chrome',
  '/opt/brave.com/brave',
  '/opt/microsoft/msedge',
  '/snap/bin',
];

const macPrograms = [
  { name: 'Chromium', path: '/Applications/Chromium.app/Contents/MacOS/Chromium' },
  { name: 'Chrome', path: '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' },
  { name: 'Brave', path: '/Applications/Brave Browser.app/Contents/MacOS/Brave Browser' },
  { name: 'Edge', path: '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge' },
];

/** Where {@link findBrowser} looks. */
export interface FindBrowserOptions {
  /** The browser the user named, a path or a program on PATH; default `$MANYPATH_BROWSER`, else a search. */
  readonly chosen?: string | undefined;
  /** Default `process.env`. */
  readonly environment?: NodeJS.ProcessEnv;
  /** Folders searched after PATH; default: those that the packages of the browsers use. */
  readonly folders?: readonly string[];
}

/**
 * Finds Chromium, else Chrome, else Brave, else Edge.
 *
 * @throws BrowserNotFoundError `MANYPATH_BROWSER_NOT_FOUND`
 */
export function findBrowser(options: FindBrowserOptions = {}): Browser {
  const environment = options.environment ?? process.env;
  const path = (environment.PATH ?? '').split(delimiter).filter(folder => folder !== '');
  const chosen = options.chosen ?? environment.MANYPATH_BROWSER;
  if (chosen !== undefined && chosen !== '') return chosenBrowser(chosen, path);

  const folders = [...new Set([...path, ...(options.folders ?? knownFolders)])];
  const found: Browser[] = [];
  for (const { name, programs } of families) {
    for (const program of programs) found.push(...browsersCalled(program, name, folders));
  }
  if (process.platform === 'darwin')
    found.push(...macPrograms.filter(isProgram).map(mac => ({ ...mac, snap: false })));
  // A snap cannot be isolated, so any browser of another kind is preferred to it.
  const best = found.find(browser => !browser.snap) ?? found[0];
  if (best === undefined) throw new BrowserNotFoundError('no Chromium, Chrome, Brave or Edge was found');
  return best;
}

function chosenBrowser(chosen: string, path: readonly string[]): Browser {
  const candidates = chosen.includes('/') ? [resolve(chosen)] : path.map(folder => join(folder, chosen));
  const program = candidates.find(candidate => isProgram({ path: candidate }));
  if (program === undefined) throw new BrowserNotFoundError(`"${chosen}" is not a program that can be run`);
  return { name: nameOf(program), path: program, snap: isSnap(program) };
}

function browsersCalled(program: string, name: string, folders: readonly string[]): Browser[] {
  return folders
    .filter(isAbsolute)
    .map(folder => join(folder, program))
    .filter(path => isProgram({ path }))
    .map(path => ({ name, path, snap: isSnap(path) }));
}

function nameOf(program: string): string {
  const file = program.slice(program.lastIndexOf('/') + 1);
  return families.find(({ programs }) => programs.some(known => known === file))?.name ?? file;
}

function isProgram({ path }: { path: string }): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** A link to the snap runner, or (Ubuntu) a script that runs `/snap/bin/…`. */
function isSnap(path: string): boolean {
  const real = realpathSync(path);
  if (path.startsWith('/snap/') || real.startsWith('/snap/') || real.endsWith('/bin/snap')) return true;
  const start = beginningOf(real);
  return start.startsWith('#!') && start.includes('/snap/bin/');
}

function beginningOf(file: string): string {
  const buffer = Buffer.alloc(4096);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    return buffer.toString('latin1', 0, readSync(descriptor, buffer));
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
