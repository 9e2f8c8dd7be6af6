import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LabNotBuiltError } from './errors.ts';
import { labLimits } from './limits.ts';

/** The compiled form of an entry of this package: child processes run plain JavaScript. */
export function builtEntry(name: string): string {
  const places = [`./${name}.js`, `../dist/${name}.js`];
  const found = places
    .map(place => fileURLToPath(new URL(place, import.meta.url)))
    .find(path => existsSync(path));
  if (found === undefined) throw new LabNotBuiltError(name);
  return found;
}

/** The first line a child prints. Rejects when it ends before, or takes too long; then it is killed. */
export async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  return await new Promise<string>((resolve, reject) => {
    const fail = (why: string) => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      reject(new Error(why));
    };
    const timer = setTimeout(() => fail('it was not ready in time'), labLimits.readyTimeoutMs);
    child.once('error', error => fail(error.message));
    child.once('exit', code => fail(`it ended with exit code ${code}`));
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!text.includes('\n')) return;
      clearTimeout(timer);
      resolve(text.slice(0, text.indexOf('\n')));
    });
  });
}
