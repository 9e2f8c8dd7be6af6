import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { requireTool, runCommand, toolEnvironment } from './command.ts';
import { LabNotPermittedError } from './errors.ts';
import { hostsFile } from './plan.ts';

/** Set in processes that were started again in namespaces of their own. */
const marker = 'MANYPATH_LAB_INSIDE';

/** What is done before the program starts: as root over nothing but these namespaces. */
const prepare = `
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir -p /run/manypath
printf '%s' "$MANYPATH_LAB_HOSTS" > /run/manypath/hosts
unset MANYPATH_LAB_HOSTS
mount --bind /run/manypath/hosts /etc/hosts
ip link set dev lo up
exec "$@"
`;

/** Whether this process may make labs as it is: it is root, or was started by `insideOwnNamespaces`. */
export function mayMakeLabs(): boolean {
  return process.getuid?.() === 0;
}

/**
 * Runs a program in user, network and mount namespaces of its own, in which it is root and labs can be made without
 * any right outside. It shares stdin, stdout and stderr; SIGINT, SIGTERM and SIGHUP are passed on.
 *
 * It has no network but the labs it makes, an empty /run, and the files of the user who started it. What it leaves
 * running is ended with it.
 *
 * @returns its exit code, as a shell would tell it
 * @throws LabNotPermittedError `MANYPATH_LAB_NOT_PERMITTED` where user namespaces are switched off
 */
export async function insideOwnNamespaces(argv: readonly string[]): Promise<number> {
  const enter = [requireTool('unshare'), '--user', '--map-root-user', '--net', '--mount'];
  requireTool('mount');
  requireTool('ip');
  const probe = await runCommand([...enter, '--', 'mount', '-t', 'tmpfs', 'tmpfs', '/run'], {
    allowFailure: true,
  });
  if (probe.code !== 0) {
    throw new LabNotPermittedError(
      `This user may not make namespaces (${probe.stderr.trim() || `exit code ${probe.code}`}).`,
    );
  }
  const [tool = '', ...rest] = [...enter, '--', 'sh', '-ec', prepare, 'sh', ...argv];
  const child = spawn(tool, rest, {
    env: toolEnvironment({ [marker]: '1', MANYPATH_LAB_HOSTS: hostsFile() }),
    stdio: 'inherit',
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const forward = (signal: NodeJS.Signals) => {
    // The terminal has sent its interrupt to the whole foreground group already.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const own = userNamespaceOf(process.pid);
  for (const signal of signals) process.on(signal, forward);
  try {
    const entered = await userNamespaceAfterEntering(child, own);
    const code = await exitCode(child);
    if (entered !== undefined) endProcessesOf(entered);
    return code;
  } finally {
    for (const signal of signals) process.off(signal, forward);
  }
}

async function exitCode(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  const { exitCode: code, signalCode: signal } = child;
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** The user namespace that a child has made for itself, as soon as it has; `undefined` when it ended before. */
async function userNamespaceAfterEntering(
  child: ChildProcess,
  own: string | undefined,
): Promise<string | undefined> {
  while (child.exitCode === null && child.signalCode === null) {
    const theirs = userNamespaceOf(child.pid ?? 0);
    if (theirs !== undefined && theirs !== own) return theirs;
    await sleep(2);
  }
  return undefined;
}

function userNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`);
  } catch {
    return undefined;
  }
}

/** Ends what a program left running: nobody could find the namespaces it runs in any more. */
function endProcessesOf(userNamespace: string): void {
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || userNamespaceOf(pid) !== userNamespace) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
  }
}

/**
 * Call it first in a program that makes labs. As root it returns at once. Otherwise the same command line is run
 * again in namespaces of its own, and this process ends with its exit code.
 */
export async function requireOrReenter(): Promise<void> {
  if (mayMakeLabs()) return;
  if (process.env[marker] !== undefined) {
    throw new LabNotPermittedError('This process is not root in the namespaces it was started in.');
  }
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  process.exit(await insideOwnNamespaces(argv));
}
