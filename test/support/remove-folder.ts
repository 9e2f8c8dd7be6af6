import { readdirSync, readFileSync, rmSync } from 'node:fs';

/** How long programs that were told to end may still use a folder, in milliseconds. */
const patienceMs = 5000;

/**
 * Removes a folder, once no program has it on its command line: a browser that was closed writes its profile for a moment
 * longer, and would make the folder again.
 */
export function removeFolder(path: string): void {
  const giveUpAt = Date.now() + patienceMs;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (isUsed(path) && Date.now() < giveUpAt) Atomics.wait(clock, 0, 0, 20);
  rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

function isUsed(path: string): boolean {
  return readdirSync('/proc').some(entry => /^\d+$/.test(entry) && commandLine(entry).includes(path));
}

function commandLine(pid: string): string {
  if (Number(pid) === process.pid) return '';
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
