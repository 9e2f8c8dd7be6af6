import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ManypathError } from '@manypath/core';
import { helperSocketPath } from '@manypath/paths';

/** The helper did not start, or was not given its rights. */
export class HelperStartError extends ManypathError {
  constructor(program: string, reason: string) {
    super('MANYPATH_HELPER_NOT_STARTED', `${program} did not start the helper: ${reason}`, {
      hint: 'start it in another terminal, sudo manypath helper, or answer no to go on without it',
    });
  }
}

/** This command line, as it was started, with other arguments. */
function itself(...parameters: string[]): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? '', ...parameters];
}

/**
 * Starts the helper for this user, with a program that asks for the password. It ends when this process ends, in whatever
 * way: then its standard input closes.
 *
 * @param program `sudo` or `pkexec`.
 * @throws HelperStartError `MANYPATH_HELPER_NOT_STARTED`
 */
export async function startHelper(program: string): Promise<void> {
  const user = String(process.getuid?.() ?? 0);
  const socket = process.env.MANYPATH_HELPER ?? helperSocketPath;
  const options = [
    '--json',
    '--log-level',
    'error',
    '--user',
    user,
    '--socket',
    socket,
    '--until-stdin-closes',
  ];
  const child = spawn(program, itself('helper', ...options), { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new HelperStartError(program, signal === null ? `exit code ${code}` : String(signal));
  });
  const lines = createInterface({ input: child.stdout });
  await Promise.race([once(lines, 'line'), ended]);
  ended.catch(() => {});
  lines.close();
  child.stdout.resume();
  // Neither the helper nor the pipes to it keep this process alive.
  child.unref();
  for (const pipe of [child.stdin, child.stdout]) if (pipe instanceof Socket) pipe.unref();
}

/**
 * Installs the helper for good, so that it is there whenever it is asked for.
 *
 * @throws HelperStartError `MANYPATH_HELPER_NOT_STARTED`
 */
export async function installHelper(program: string): Promise<void> {
  const child = spawn(program, itself('install', '--helper'), { stdio: 'inherit' });
  const [code, signal] = await once(child, 'exit').catch(error => {
    throw new HelperStartError(program, String(error));
  });
  if (code !== 0) throw new HelperStartError(program, signal === null ? `exit code ${code}` : String(signal));
}
