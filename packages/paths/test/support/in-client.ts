import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type * as core from '@manypath/core';
import type { Lab, Role } from '@manypath/lab';
import type * as mptcp from '@manypath/mptcp';
import type * as paths from '../../src/index.ts';

/** What a function has at hand that runs in a process of its own. */
export interface ClientRooms {
  readonly core: typeof core;
  readonly mptcp: typeof mptcp;
  readonly paths: typeof paths;
  /** The paths as the kernel's tables have them, primary and untried. */
  outlooks(): paths.PathOutlook[];
  readonly routes: mptcp.RouteSocket;
  /** Runs a command of iproute2, given without `ip`. */
  ip(command: string): void;
  /** Makes a folder for what is kept; it is removed when the process ends. */
  stateDir(): string;
  /** How many descriptors the process has open. */
  descriptors(): number;
}

/**
 * Runs a function in a process of its own inside a namespace of the lab, against the built packages, and gives what
 * it returned. It is passed as source text: it can use its arguments and nothing around it.
 *
 * @param uid The user it becomes before it runs, without any privilege. Default: root.
 */
export async function inNamespaceOf<A, R>(
  lab: Lab,
  run: (rooms: ClientRooms, argument: A) => Promise<R>,
  argument: A,
  { uid, role = 'client' }: { uid?: number; role?: Role } = {},
): Promise<R> {
  const script = `
    const { mkdtempSync, readdirSync, rmSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const { execFileSync } = await import('node:child_process');
    const ip = command => void execFileSync('ip', command.split(' '));
    const stateDir = () => {
      const folder = mkdtempSync(tmpdir() + '/manypath-in-client-');
      process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
      return folder;
    };
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const [core, mptcp, paths] = await Promise.all(
      ['@manypath/core', '@manypath/mptcp', '@manypath/paths'].map(name => import(name)));
    mptcp.RouteSocket.open().close();
    const uid = ${JSON.stringify(uid ?? null)};
    if (uid !== null) { process.setgroups([]); process.setgid(uid); process.setuid(uid); }
    const routes = mptcp.RouteSocket.open();
    const outlooks = () => paths.discoverPaths(
      { links: routes.links(), addresses: routes.addresses(), routes: routes.routes() },
    ).map(path => ({ path, tier: 'primary', health: 'unknown', rttMs: undefined, downMbps: undefined, upMbps: undefined }));
    const result = await (${run.toString()})({ core, mptcp, paths, outlooks, routes, ip, stateDir, descriptors }, ${JSON.stringify(argument)});
    process.stdout.write(JSON.stringify({ result: result ?? null }), () => process.exit(0));`;
  const argv = [process.execPath, '--input-type=module', '--eval', script];
  const child = lab.spawn(role, argv, {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let log = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the process in ${role} ended with ${code}:\n${log}`);
  return (JSON.parse(out) as { result: R }).result;
}
