import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findTool } from '../tools.ts';

/** How long a program may take until it listens, in milliseconds. */
const startMs = 10_000;

/** All programs that were started, so that none outlives the benchmark. */
const running = new Set<ChildProcess>();
process.once('exit', killAll);

function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** Ends what runs, and waits for it: nothing is written any more. */
export async function stopAll(): Promise<void> {
  const ended = [...running].map(child => once(child, 'exit'));
  killAll();
  await Promise.all(ended);
}

/**
 * Starts one of our own helpers and waits until it says that it is ready.
 *
 * @param cpu Which processor it is to run on; `undefined`: any.
 */
export async function startHelper(
  module: string,
  parameters: readonly string[],
  cpu?: number,
): Promise<ChildProcess> {
  const path = fileURLToPath(new URL(module, import.meta.url));
  const child = fork(path, parameters, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  watch(child);
  await pin(child.pid, cpu);
  return child;
}

/** Starts a program and waits until it listens on `port`. */
export async function startProgram(
  argv: readonly string[],
  port: number,
  cpu?: number,
): Promise<ChildProcess> {
  const [program = '', ...rest] = argv;
  const options: SpawnOptions = { stdio: ['ignore', 'ignore', 'pipe'] };
  const child = spawn(program, rest, options);
  let complaint = '';
  child.stderr?.on('data', (text: Buffer) => {
    complaint = (complaint + text).slice(-2000);
  });
  watch(child);
  for (const deadline = Date.now() + startMs; !(await listens(port)); await sleep(20)) {
    if (child.exitCode !== null || Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`${argv.join(' ')} does not listen on port ${port}\n${complaint}`);
    }
  }
  await pin(child.pid, cpu);
  return child;
}

function watch(child: ChildProcess): void {
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.on('error', () => running.delete(child));
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Puts all threads of a process on one processor, where that can be done. */
async function pin(pid: number | undefined, cpu: number | undefined): Promise<void> {
  const taskset = findTool('taskset');
  if (taskset === undefined || pid === undefined || cpu === undefined) return;
  await once(spawn(taskset, ['-a', '-c', '-p', String(cpu), String(pid)], { stdio: 'ignore' }), 'exit');
}

/** The next message of a helper. Rejects when it says that something went wrong, or ends. */
export async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const gone = new AbortController();
  const onExit = () => gone.abort(new Error('a helper of the benchmark ended'));
  child.once('exit', onExit);
  try {
    const [message] = (await once(child, 'message', { signal: gone.signal })) as [T & { error?: string }];
    if (message.error !== undefined) throw new Error(message.error);
    return message;
  } finally {
    child.off('exit', onExit);
  }
}
