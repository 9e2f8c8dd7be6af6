import { fileURLToPath } from 'node:url';

/**
 * A program of this folder that is run as a process of its own. From source (tests) the built one is run: Node 20 does not run
 * TypeScript.
 *
 * @param name E.g. `namespace-holder.js`.
 */
export function childProgram(name: string): string {
  const here = import.meta.url;
  const built = here.endsWith('.ts') ? here.replace('/src/', '/dist/') : here;
  return fileURLToPath(new URL(`./${name}`, built));
}

/** The environment of such a program: options for this process (a test runner's loader, a debugger's port) are not meant for it. */
export function childEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return rest;
}
