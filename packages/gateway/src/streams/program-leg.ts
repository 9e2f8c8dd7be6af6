import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { streamLeg } from '@manypath/forward';
import type { LegEnds } from './stream-leg.ts';

/** A program that pages of some origins may run. */
export interface StreamProgram {
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
  /** Origins of pages, e.g. `https://app.example`. */
  readonly origins: readonly string[];
}

/** How long a program that was told to end has for that, in milliseconds. */
const terminateMs = 5000;

/**
 * Starts a program, in the user's home folder. Its standard error is dropped.
 *
 * @throws Error when it cannot be started
 */
export function startProgram({ command }: StreamProgram): Promise<LegEnds> {
  const [file = '', ...rest] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'ignore'], cwd: homedir() });
    child.once('error', reject);
    const outcome = new Promise<string>(ended => {
      child.once('close', (code, signal) => ended(signal === null ? `exit ${code}` : `signal ${signal}`));
    });
    child.once('spawn', () =>
      resolve({
        reader: streamLeg(child.stdout),
        writable: child.stdin,
        outcome,
        destroy() {
          child.kill('SIGTERM');
          const timer = setTimeout(() => child.kill('SIGKILL'), terminateMs);
          child.once('close', () => clearTimeout(timer));
          child.stdin.destroy();
          child.stdout.destroy();
        },
      }),
    );
  });
}
