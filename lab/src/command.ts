import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type CommandFailure, LabCommandError, LabTimeoutError, LabToolMissingError } from './errors.ts';
import { labLimits } from './limits.ts';

/** Administrators' programs are often outside a user's PATH. */
const searchPath = [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].join(
  delimiter,
);

/** Which Debian package brings a program, and what the lab needs it for. */
const packages: Record<string, { debian: string; purpose: string }> = {
  ip: { debian: 'iproute2', purpose: 'to make network namespaces' },
  tc: { debian: 'iproute2', purpose: 'to shape links' },
  nft: { debian: 'nftables', purpose: 'for the fault' },
  unshare: { debian: 'util-linux', purpose: 'to work without root' },
  mount: { debian: 'mount', purpose: 'to work without root' },
};

/** The full path of a program, or `undefined` when it is not installed. */
export function findTool(name: string): string | undefined {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/** The full path of a program. Throws `MANYPATH_LAB_TOOL_MISSING` with the package to install. */
export function requireTool(name: string): string {
  const path = findTool(name);
  if (path !== undefined) return path;
  const origin = packages[name];
  throw new LabToolMissingError(name, origin?.debian ?? name, origin?.purpose ?? '');
}

/** The environment for every program the lab starts. */
export function toolEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: searchPath, ...extra };
}

export interface CommandOptions {
  /** Given to the command's stdin, which is closed after it. */
  input?: string | Uint8Array;
  /** Added to this process's environment. */
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** Milliseconds until the command and its children are killed: `MANYPATH_LAB_TIMEOUT`. Default 60 000. */
  timeoutMs?: number;
  /** Kills the command and its children; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Resolve with any exit code, where otherwise all but 0 are `MANYPATH_LAB_COMMAND_FAILED`. */
  allowFailure?: boolean;
}

export interface CommandResult {
  /** Exit code; `null` when a signal ended it. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end and captures what it says. It leads a process group of its own. */
export async function runCommand(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const [tool = '', ...rest] = argv;
  options.signal?.throwIfAborted();
  const child = spawn(tool, rest, {
    env: toolEnvironment(options.env),
    cwd: options.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return await outcome(child, argv, options);
}

async function outcome(
  child: ChildProcess,
  argv: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  const stdout = new Captured();
  const stderr = new Captured();
  const timeoutMs = options.timeoutMs ?? labLimits.execTimeoutMs;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child, 'SIGKILL');
  }, timeoutMs);
  const onAbort = () => killGroup(child, 'SIGKILL');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve([code, signal]));
      for (const [stream, captured] of [[child.stdout, stdout] as const, [child.stderr, stderr] as const]) {
        stream?.on('data', (chunk: Buffer) => {
          if (!captured.add(chunk)) killGroup(child, 'SIGKILL');
        });
      }
      // A command that does not read its input closes the pipe: its exit code tells more than EPIPE.
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input ?? '');
    });
    const result: CommandResult = { code, signal, stdout: stdout.text(), stderr: stderr.text() };
    const failure: CommandFailure = { argv, ...result };
    options.signal?.throwIfAborted();
    if (timedOut) throw new LabTimeoutError(failure, timeoutMs);
    if (stdout.overflowed || stderr.overflowed) {
      const note = `more than ${labLimits.execOutputBytes} bytes of output`;
      throw new LabCommandError({ ...failure, stdout: '', stderr: note });
    }
    if (code !== 0 && options.allowFailure !== true) throw new LabCommandError(failure);
    return result;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
  }
}

class Captured {
  #chunks: Buffer[] = [];
  #bytes = 0;
  overflowed = false;

  /** `false` when it is too much. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > labLimits.execOutputBytes) this.overflowed = true;
    else this.#chunks.push(chunk);
    return !this.overflowed;
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

/** Signals a child that leads its process group, with all its descendants that stayed in the group. */
export function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal);
  }
}

/** Runs lines for `ip -batch` or `tc -batch`, in a namespace when one is named. No lines, no process. */
export async function runBatch(
  tool: 'ip' | 'tc',
  lines: readonly string[],
  options: { namespace?: string; force?: boolean; family?: 4 | 6 } = {},
): Promise<void> {
  if (lines.length === 0) return;
  const where = options.namespace === undefined ? [] : ['-netns', options.namespace];
  const force = options.force === true ? ['-force'] : [];
  const family = options.family === undefined ? [] : [`-${options.family}`];
  const argv = [requireTool(tool), ...where, ...family, ...force, '-batch', '-'];
  const result = await runCommand(argv, { input: `${lines.join('\n')}\n`, allowFailure: true });
  if (result.code === 0 || options.force === true) return;
  const line = /Command failed -:(\d+)/.exec(result.stderr)?.[1];
  const failed = line === undefined ? lines.join('; ') : (lines[Number(line) - 1] ?? '');
  throw new LabCommandError({ ...result, argv: [tool, ...where, failed] });
}
