import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '@manypath/core';
import { inNamespace } from '@manypath/mptcp';
import { requireTool } from './command.ts';
import { LabOptionError } from './errors.ts';

/** Where `ip netns` keeps named namespaces; ip-netns(8). */
export function namespacePath(namespace: string): string {
  return join('/run/netns', namespace);
}

/** Whether a namespace of this name exists. */
export function namespaceExists(namespace: string): boolean {
  return statSync(namespacePath(namespace), { throwIfNoEntry: false }) !== undefined;
}

/** What to put before a command so that it runs in a namespace, with that namespace's /etc/hosts and /sys. */
export function enterNamespace(namespace: string): string[] {
  return [requireTool('ip'), 'netns', 'exec', namespace];
}

/**
 * Lets every program that `ip netns exec` starts in one of `namespaces` resolve the lab's names.
 *
 * Without the right to write below /etc (in a user namespace of our own) nothing is done here: there
 * /etc/hosts itself was replaced on entering.
 */
export function provideHosts(namespaces: readonly string[], text: string): void {
  for (const namespace of namespaces) {
    try {
      mkdirSync(join('/etc/netns', namespace), { recursive: true });
      writeFileSync(join('/etc/netns', namespace, 'hosts'), text);
    } catch (error) {
      if (!['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '')) throw error;
      return;
    }
  }
}

/** Takes away what `provideHosts` made. */
export function withdrawHosts(namespaces: readonly string[]): void {
  for (const namespace of namespaces) rmSync(join('/etc/netns', namespace), { recursive: true, force: true });
  try {
    if (readdirSync('/etc/netns').length === 0) rmSync('/etc/netns', { recursive: true });
  } catch {
    // Not there, or somebody filled it meanwhile.
  }
}

/** The processes whose network namespace is one of `namespaces`, without this one and its ancestors. */
export function processesIn(namespaces: readonly string[]): number[] {
  const inodes = new Set<string>();
  for (const namespace of namespaces) {
    const stat = statSync(namespacePath(namespace), { throwIfNoEntry: false });
    if (stat !== undefined) inodes.add(`${stat.dev}:${stat.ino}`);
  }
  if (inodes.size === 0) return [];
  const spared = new Set([process.pid, process.ppid]);
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .filter(pid => !spared.has(pid) && inodes.has(networkOf(pid) ?? ''));
}

function networkOf(pid: number): string | undefined {
  try {
    const stat = statSync(`/proc/${pid}/ns/net`);
    return `${stat.dev}:${stat.ino}`;
  } catch {
    return undefined;
  }
}

/** Paths below /proc/sys/net, and what is written there. */
export type Sysctls = [path: string, value: string][];

/** Sets parameters of a namespace. */
export function writeSysctls(namespace: string, sysctls: Sysctls): void {
  inNamespace(namespacePath(namespace), () => {
    for (const [path, value] of sysctls) writeSysctl(`/proc/sys/net/${path}`, value);
  });
}

function writeSysctl(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    if (path.endsWith('/tcp_congestion_control')) {
      throw new LabOptionError(`The kernel does not let a namespace use the congestion control "${value}"`, {
        cause: error,
        hint: 'Only those in net.ipv4.tcp_allowed_congestion_control of the first namespace can be chosen.',
      });
    }
    // A kernel without IPv6 or MPTCP has nothing to set there.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Sets parameters by the names sysctl(8) has for them. Throws `MANYPATH_LAB_OPTION_INVALID`. */
export function setSysctls(namespace: string, wanted: Record<string, string>): void {
  const sysctls = Object.entries(wanted).map(([name, value]): [string, string] => {
    if (!/^net(\.[A-Za-z0-9_-]+)+$/.test(name))
      throw new LabOptionError(`"${name}" is no parameter of a network`);
    return [name.slice('net.'.length).replaceAll('.', '/'), value];
  });
  writeSysctls(namespace, sysctls);
}
