import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { Readable } from 'node:stream';
import { BrowserStartError } from './errors.ts';

/** How to run the browser. */
export interface RunBrowserOptions {
  /** What comes before the browser on the command line: the way into its namespace. */
  readonly enter: readonly string[];
  readonly path: string;
  readonly parameters: readonly string[];
  /** Standard output of the browser: ours, or standard error when ours is kept for JSON. */
  readonly stdout: 1 | 2;
  /** Whether descriptors 3 and 4 of this process are the browser's debugging pipe. */
  readonly debuggingPipe: boolean;
}

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A browser that runs. */
export class RunningBrowser {
  readonly pid: number;
  /** Exit code, or 128 + the number of the signal that ended it, as a shell says it. */
  readonly ended: Promise<number>;
  /** What it writes to its standard error. */
  readonly errors: Readable;
  readonly #process: ChildProcess;
  readonly #shutdownMs: number;
  #killer: NodeJS.Timeout | undefined;

  constructor(child: ChildProcess, errors: Readable, pid: number, shutdownMs: number) {
    this.#process = child;
    this.errors = errors;
    this.pid = pid;
    this.#shutdownMs = shutdownMs;
    this.ended = once(child, 'exit').then(([code, signal]) => {
      clearTimeout(this.#killer);
      return exitCode(code, signal);
    });
  }

  /** Asks the browser to end with a signal, and kills it when it takes too long. */
  end(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
    this.#killer ??= setTimeout(() => this.#process.kill('SIGKILL'), this.#shutdownMs);
  }
}

/**
 * Starts the browser as a direct child: its exit code is at hand, and no process stands between.
 *
 * It gets a session of its own, so that a Ctrl-C in the terminal reaches it once, through us, and lets it end
 * cleanly. The kernel sends it SIGTERM when this process dies.
 *
 * @throws BrowserStartError `MANYPATH_BROWSER_START_FAILED`
 */
export async function startBrowser(options: RunBrowserOptions, shutdownMs: number): Promise<RunningBrowser> {
  const withParent = process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'TERM', '--'] : [];
  const [program = options.path, ...rest] = [
    ...options.enter,
    ...withParent,
    options.path,
    ...options.parameters,
  ];
  if (options.debuggingPipe) checkDebuggingPipe(options.path);
  const child = spawn(program, rest, {
    stdio: ['inherit', options.stdout, 'pipe', ...(options.debuggingPipe ? [3, 4] : [])],
    detached: true,
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw new BrowserStartError(options.path, error);
  }
  return new RunningBrowser(child, child.stderr ?? Readable.from([]), child.pid ?? 0, shutdownMs);
}

/**
 * Passes SIGINT, SIGTERM and SIGHUP to `receive` instead of ending the process.
 *
 * @returns A function that puts things back.
 */
export function forwardSignals(receive: (signal: NodeJS.Signals) => void): () => void {
  for (const signal of forwarded) process.on(signal, receive);
  return () => {
    for (const signal of forwarded) process.off(signal, receive);
  };
}

/** The exit code of a command that a signal ended, as a shell reports it. */
export function exitCode(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** Without a driver that opened them, descriptors 3 and 4 are Node's own, which the browser must not get. */
function checkDebuggingPipe(path: string): void {
  for (const descriptor of [3, 4]) {
    if (!isOurs(descriptor)) continue;
    const cause = new Error('--remote-debugging-pipe needs a driver that passes open descriptors 3 and 4');
    throw new BrowserStartError(path, cause);
  }
}

function isOurs(descriptor: number): boolean {
  if (process.platform !== 'linux') return false;
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('anon_inode:');
  } catch {
    return true;
  }
}
