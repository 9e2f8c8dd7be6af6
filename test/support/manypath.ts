import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeFolder } from './remove-folder.ts';

/** The built command line, as people run it. */
export const manypathArguments: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL('../../packages/cli/dist/main.js', import.meta.url)),
];

/** A running `manypath` command that has printed its ready event. */
export interface RunningManypath {
  readonly child: ChildProcess;
  readonly ready: Record<string, unknown> & { event: string };
  /** Everything it wrote to stderr so far. */
  log(): string;
  /** Sends a signal and waits for the end. @returns The exit code, or the signal that killed it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals | null>;
}

/** How to start a program: in a namespace of the lab, or simply here. */
export type Starter = (command: readonly string[]) => ChildProcess;

/** Starts a program in this test's own network namespace. */
export const startHere: Starter = ([file = '', ...parameters]) =>
  spawn(file, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Starts `manypath PARAMETERS --json` and waits for its ready event. */
export async function startManypath(
  parameters: readonly string[],
  start: Starter = startHere,
): Promise<RunningManypath> {
  const child = start([...manypathArguments, ...parameters]);
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const ready = await Promise.race([
    readyEvent(child),
    ended.then(([code]) => {
      throw new Error(`manypath ${parameters.join(' ')} ended with ${code} before it was ready:\n${log}`);
    }),
  ]);
  return {
    child,
    ready,
    log: () => log,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const [code, endSignal] = await ended;
      return endSignal ?? code;
    },
  };
}

async function readyEvent(child: ChildProcess): Promise<RunningManypath['ready']> {
  if (child.stdout === null) throw new Error('stdout is not piped');
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as RunningManypath['ready'];
    if (event.event === 'ready') {
      child.stdout.resume();
      return event;
    }
  }
  return new Promise(() => {});
}

/** A folder for one test that is removed with it. */
export function temporaryFolder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'manypath-test-'));
  return { path, [Symbol.dispose]: () => removeFolder(path) };
}
