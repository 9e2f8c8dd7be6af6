import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { builtEntry, firstLine } from './child.ts';
import { toolEnvironment } from './command.ts';
import type { WireSetting } from './delay-line.ts';
import { LabDelayUnavailableError } from './errors.ts';
import { labLimits } from './limits.ts';
import { enterNamespace } from './namespace-files.ts';
import { identifyProcess, type ProcessIdentity } from './process-identity.ts';
import type { WireCommand } from './wire-command.ts';

/** The interfaces of a link's wire, both in the wire's namespace. */
export function wireDevices(link: string): { near: string; far: string } {
  return { near: `near-${link}`, far: `far-${link}` };
}

export interface WireOptions {
  namespace: string;
  /** The lab's folder for control sockets and logs. */
  folder: string;
  /** Whose end is the wire's end too; `null` = none's. */
  owner: ProcessIdentity | null;
  link: string;
  setting: WireSetting;
}

function controlSocket(folder: string, link: string): string {
  return join(folder, `wire-${link}.sock`);
}

/** Starts the process that is a link's wire, and waits until it forwards. It outlives this process. */
export async function startWire(options: WireOptions): Promise<ProcessIdentity> {
  const { namespace, folder, owner, link, setting } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const control = controlSocket(folder, link);
  rmSync(control, { force: true });
  const log = join(folder, `wire-${link}.log`);
  const { near, far } = wireDevices(link);
  const [tool = '', ...enter] = enterNamespace(namespace);
  const argv = [
    ...enter,
    process.execPath,
    builtEntry('wire-main'),
    near,
    far,
    control,
    String(owner?.pid ?? 0),
    owner?.startTime ?? '',
    JSON.stringify(setting),
  ];
  const stderr = openSync(log, 'w');
  const child = spawn(tool, argv, {
    env: toolEnvironment({ NODE_OPTIONS: '' }),
    detached: true,
    stdio: ['ignore', 'pipe', stderr],
  });
  closeSync(stderr);
  child.unref();
  try {
    await firstLine(child);
  } catch {
    child.kill('SIGKILL');
    throw new LabDelayUnavailableError(`the wire did not start: ${readFileSync(log, 'utf8').trim()}`);
  }
  child.stdout?.destroy();
  const identity = identifyProcess(child.pid ?? 0);
  if (identity === undefined) throw new LabDelayUnavailableError('the wire ended at once');
  return identity;
}

/** Changes what a running wire does. */
export async function setWire(folder: string, link: string, command: WireCommand): Promise<void> {
  const signal = AbortSignal.timeout(labLimits.readyTimeoutMs);
  const socket = createConnection(controlSocket(folder, link));
  try {
    await once(socket, 'connect', { signal });
    const answer = once(socket, 'data', { signal });
    socket.write(`${JSON.stringify(command)}\n`);
    await answer;
  } catch (cause) {
    throw new LabDelayUnavailableError(`the wire of link "${link}" does not answer`, cause);
  } finally {
    socket.destroy();
  }
}
