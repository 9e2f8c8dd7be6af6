import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ManypathError } from '@manypath/core';
import { withoutServices } from './held-services.ts';
import { askPerson } from './terminal/ask-person.ts';
import { sayToPeople } from './terminal/log.ts';

/** A program from outside npm, and the Debian package that brings it. */
interface SystemProgram {
  readonly program: string;
  readonly debianPackage: string;
  /** What the package would have started at every boot. */
  readonly service?: string;
}

const programs = {
  chromium: { program: 'chromium', debianPackage: 'chromium' },
  ip: { program: 'ip', debianPackage: 'iproute2' },
  tc: { program: 'tc', debianPackage: 'iproute2' },
  nft: { program: 'nft', debianPackage: 'nftables' },
  unshare: { program: 'unshare', debianPackage: 'util-linux' },
  nsenter: { program: 'nsenter', debianPackage: 'util-linux' },
  setpriv: { program: 'setpriv', debianPackage: 'util-linux' },
  wirefilter: { program: 'wirefilter', debianPackage: 'vde2' },
  curl: { program: 'curl', debianPackage: 'curl' },
  openssl: { program: 'openssl', debianPackage: 'openssl' },
  ss: { program: 'ss', debianPackage: 'iproute2' },
  nghttp: { program: 'nghttp', debianPackage: 'nghttp2-client' },
  ps: { program: 'ps', debianPackage: 'procps' },
  script: { program: 'script', debianPackage: 'bsdutils' },
  sudo: { program: 'sudo', debianPackage: 'sudo' },
  'systemd-analyze': { program: 'systemd-analyze', debianPackage: 'systemd' },
  git: { program: 'git', debianPackage: 'git' },
  squid: { program: 'squid', debianPackage: 'squid', service: 'squid' },
  tinyproxy: { program: 'tinyproxy', debianPackage: 'tinyproxy', service: 'tinyproxy' },
  // With the headers of the C library, which the package gcc alone only recommends.
  cc: { program: 'cc', debianPackage: 'g++' },
  haproxy: { program: 'haproxy', debianPackage: 'haproxy' },
  microsocks: { program: 'microsocks', debianPackage: 'microsocks' },
  mptcpize: { program: 'mptcpize', debianPackage: 'mptcpize' },
  'ss-local': { program: 'ss-local', debianPackage: 'shadowsocks-libev' },
} satisfies Record<string, SystemProgram>;

export type SystemProgramName = keyof typeof programs;

/** Some program that a command needs is not there, and could not be installed. */
export class MissingProgramsError extends ManypathError {
  constructor(missing: readonly SystemProgram[], cause?: unknown) {
    const names = missing.map(({ program }) => program).join(', ');
    super('MANYPATH_PROGRAMS_MISSING', `this command needs ${names}`, {
      hint: `sudo ${installCommand(missing).join(' ')}`,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/**
 * Sees to it that the programs a command needs are installed.
 *
 * As root on a Debian-like machine what is missing is installed: that is said on stderr, and somebody at a terminal is asked
 * first, unless `CI` or `MANYPATH_YES` is set. Otherwise the error carries the one command to run.
 *
 * @throws MissingProgramsError `MANYPATH_PROGRAMS_MISSING`, also when the answer is no
 */
export async function requirePrograms(names: readonly SystemProgramName[]): Promise<void> {
  const missing = names
    .map((name): SystemProgram => programs[name])
    .filter(({ program }) => !isOnPath(program));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !isOnPath('apt-get')) throw new MissingProgramsError(missing);
  if (!(await mayInstall(missing))) throw new MissingProgramsError(missing);
  withoutServices(() => install(missing));
  disableServices(missing);
  const stillMissing = missing.filter(({ program }) => !isOnPath(program));
  if (stillMissing.length > 0) throw new MissingProgramsError(stillMissing);
}

/** As {@link requirePrograms}, for programs that a command can do without: what cannot be installed stays missing. */
export async function offerPrograms(names: readonly SystemProgramName[]): Promise<void> {
  try {
    await requirePrograms(names);
  } catch (error) {
    if (!(error instanceof MissingProgramsError)) throw error;
  }
}

/** Whether a program can be found as a shell would, also in the folders for administrators. */
export function isOnPath(program: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter).concat('/usr/sbin', '/sbin');
  return folders.some(folder => folder !== '' && isExecutable(join(folder, program)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function mayInstall(missing: readonly SystemProgram[]): Promise<boolean> {
  const { CI, MANYPATH_YES } = process.env;
  if (!process.stdin.isTTY || !process.stderr.isTTY || CI || MANYPATH_YES) return true;
  sayToPeople(`not installed: ${missing.map(({ program }) => program).join(', ')}`);
  const choice = await askPerson(`Install ${packagesOf(missing).join(', ')} with apt-get? [Y]es, [n]o: `);
  return choice === 'yes' || choice === 'always';
}

function install(missing: readonly SystemProgram[]): void {
  const [program = 'apt-get', ...parameters] = installCommand(missing);
  sayToPeople(`installing ${packagesOf(missing).join(', ')} (this may take a minute)`);
  // The lists at hand are tried first: fetching them again is the slow part, and needed on fresh machines only.
  if (run(program, parameters).succeeded) return;
  run(program, ['update', '-qq']);
  const second = run(program, parameters);
  if (!second.succeeded) throw new MissingProgramsError(missing, new Error(second.complaint));
}

function disableServices(installed: readonly SystemProgram[]): void {
  const services = installed.flatMap(({ service = [] }) => service);
  if (services.length > 0 && isOnPath('systemctl')) run('systemctl', ['disable', ...services]);
}

function run(program: string, parameters: readonly string[]): { succeeded: boolean; complaint: string } {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync(program, parameters, {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  return { succeeded: result.status === 0, complaint: result.stderr.trim() };
}

function installCommand(missing: readonly SystemProgram[]): string[] {
  return ['apt-get', 'install', '-y', '--no-install-recommends', ...packagesOf(missing)];
}

function packagesOf(missing: readonly SystemProgram[]): string[] {
  return [...new Set(missing.map(({ debianPackage }) => debianPackage))];
}
