import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone that these sources belong to. */
export const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** How a program is run. */
export interface RunProgramOptions {
  /** The Node.js that it and its children find first. Default: the one that runs this. */
  readonly node?: string;
  /** More of its environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program in the clone, with its output on the terminal. @returns Its exit code. */
export function runProgram(
  [file = '', ...parameters]: readonly string[],
  { node = process.execPath, env = {} }: RunProgramOptions = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const path = `${dirname(node)}:${process.env.PATH ?? ''}`;
    const child = spawn(file, parameters, {
      cwd: root,
      stdio: 'inherit',
      // Tests start the command line by themselves, and see its usual name.
      env: { ...process.env, ...env, PATH: path, MANYPATH_COMMAND: undefined },
    });
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? 1));
  });
}

/** The file of a program that npm has installed in the clone. */
export function npmProgram(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}
