import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool } from './command.ts';
import { labLimits } from './limits.ts';
import { namespaceExists, processesIn, withdrawHosts } from './namespace-files.ts';
import { namespacesOf, roles, wireNamespaceOf } from './plan.ts';
import { forget } from './state.ts';

/** Every namespace a lab may have. */
function allNamespaces(name: string): string[] {
  const namespaces = namespacesOf(name);
  return [...roles.map(role => namespaces[role]), wireNamespaceOf(name)].filter(namespaceExists);
}

/** Ends what runs in a lab's namespaces, SIGTERM first, and removes the lab. Nothing of it is left. */
export async function tearDown(name: string): Promise<void> {
  const namespaces = allNamespaces(name);
  signalAll(processesIn(namespaces), 'SIGTERM');
  const deadline = Date.now() + labLimits.killGraceMs;
  while (processesIn(namespaces).length > 0 && Date.now() < deadline) await sleep(10);
  tearDownNow(name);
}

/** As `tearDown`, but with SIGKILL and without waiting: for a process that is ending. */
export function tearDownNow(name: string): void {
  const namespaces = allNamespaces(name);
  signalAll(processesIn(namespaces), 'SIGKILL');
  const ip = findTool('ip');
  if (ip !== undefined && namespaces.length > 0) {
    const input = namespaces.map(namespace => `netns del ${namespace}\n`).join('');
    spawnSync(ip, ['-force', '-batch', '-'], { input, stdio: ['pipe', 'ignore', 'ignore'] });
  }
  withdrawHosts(namespaces);
  // Last, so that a tear-down that was itself interrupted is taken up again by the next sweep.
  forget(name);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
