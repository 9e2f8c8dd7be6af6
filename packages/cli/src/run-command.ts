import { errorCode } from '@manypath/core';
import { createProgram } from './program.ts';
import { describeFailure, exitCodes } from './terminal/failure.ts';
import { columnsOf } from './terminal/wrap.ts';

/** Does what this process was called for, and tells a person why not. */
export async function runCommand(): Promise<void> {
  // Timers of Manypath keep no process alive: without this, a command that waits for one alone would end (exit code 13).
  const alive = setInterval(() => {}, 2_147_483_647);
  try {
    await createProgram().parseAsync();
  } catch (error) {
    process.stderr.write(`${describeFailure(error, columnsOf(process.stderr))}\n`);
    // A server or a timer that the command had opened before it failed would keep a process alive that nobody can use.
    process.exit(errorCode(error) === undefined ? exitCodes.software : 1);
  } finally {
    clearInterval(alive);
  }
}
