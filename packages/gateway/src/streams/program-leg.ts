import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { streamLeg } from '@manypath/forward';
import type { ProgramKeeper } from './program-keeper.ts';
import type { LegEnds } from './stream-leg.ts';

/** A program that pages of some origins may run. */
export interface StreamProgram {
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** Origins of pages, e.g. `https://app.example`. */
  readonly origins: readonly string[];
}

/** How long a program may take to end, in milliseconds: see `streamProgramEndMs` and `streamProgramRetireMs` of the gateway. */
export interface ProgramLimits {
  readonly streamProgramEndMs: number;
  readonly streamProgramRetireMs: number;
}

/**
 * Starts a program, in the user's home folder and a process group of its own. Its standard error is dropped.
 *
 * @param signal Gives it up while it is started.
 * @throws Error when it cannot be started
 */
export function startProgram(
  { command }: StreamProgram,
  keeper: ProgramKeeper,
  limits: ProgramLimits,
  signal: AbortSignal,
): Promise<LegEnds> {
  const [file = '', ...rest] = command;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    keeper.start();
    const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'ignore'], cwd: homedir(), detached: true });
    child.once('error', reject);
    const outcome = new Promise<string>(ended => {
      child.once('exit', (code, how) => ended(how === null ? `exit ${code}` : `signal ${how}`));
    });
    const { pid } = child;
    if (pid === undefined) return;
    keeper.add(pid);
    child.once('spawn', () => {
      const group = new ProcessGroup(pid, limits, () => keeper.remove(pid));
      child.once('close', () => group.closed());
      const ends: LegEnds = {
        reader: streamLeg(child.stdout),
        writable: child.stdin,
        outcome,
        destroy() {
          group.end();
          child.stdin.destroy();
          child.stdout.destroy();
        },
        retire: () => group.retire(),
      };
      if (!signal.aborted) return resolve(ends);
      ends.destroy();
      reject(signal.reason);
    });
  });
}

/** A program and what it has started, unless that made itself independent. */
class ProcessGroup {
  readonly #id: number;
  readonly #limits: ProgramLimits;
  readonly #onGone: () => void;
  #timer: NodeJS.Timeout | undefined;
  #isEnding = false;

  /**
   * @param id The process id of the program, which leads the group.
   * @param onGone Told when nothing is left to be ended.
   */
  constructor(id: number, limits: ProgramLimits, onGone: () => void) {
    this.#id = id;
    this.#limits = limits;
    this.#onGone = onGone;
  }

  /** Lets it end by itself for a while. */
  retire(): void {
    this.#timer ??= setTimeout(() => this.end(), this.#limits.streamProgramRetireMs).unref();
  }

  /** Ends it, the hard way when it takes too long. Who ends this process meanwhile leaves that to the keeper. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearTimeout(this.#timer);
    const kill = () => {
      this.#signal('SIGKILL');
      this.#onGone();
    };
    if (this.#signal('SIGTERM')) this.#timer = setTimeout(kill, this.#limits.streamProgramEndMs).unref();
    else this.#onGone();
  }

  /** The program has ended, and its pipes are closed. What it leaves behind may stay, unless the group was to end. */
  closed(): void {
    // What is left of a group keeps its number from being used again.
    if (this.#isEnding && this.#signal(0)) return;
    clearTimeout(this.#timer);
    this.#onGone();
  }

  /** @returns Whether there was a process to take it. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#id, signal);
      return true;
    } catch {
      return false;
    }
  }
}
