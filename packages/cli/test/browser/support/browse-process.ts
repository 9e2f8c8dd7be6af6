import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { browsePath } from './browser-under-test.ts';

export const fakeBrowser = fileURLToPath(new URL('./fake-browser.sh', import.meta.url));

/** `manypath browse` as a process of its own, over the stand-in gateway. */
export class BrowseProcess {
  readonly child: ChildProcess;
  /** `[code, signal]`. */
  readonly exit: Promise<unknown[]>;
  output = '';
  errors = '';

  constructor(parameters: readonly string[], options: { env?: NodeJS.ProcessEnv; pipes?: boolean } = {}) {
    const pipes = options.pipes ? (['pipe', 'pipe'] as const) : [];
    this.child = spawn(process.execPath, [browsePath, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe', ...pipes],
      env: { ...process.env, ...options.env },
    });
    this.exit = once(this.child, 'close');
    this.child.stdout?.setEncoding('utf8').on('data', text => {
      this.output += text;
    });
    this.child.stderr?.setEncoding('utf8').on('data', text => {
      this.errors += text;
    });
  }

  /** Ends it, if it has not ended; for a test that failed half-way. */
  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exit;
  }

  /** What the fake browser said after `word:`, once it has. */
  async said(word: string): Promise<string> {
    const found = await until(() => new RegExp(`^${word}: (.*)$`, 'm').exec(this.output + this.errors));
    return found[1] ?? '';
  }

  /** The `ready` event of `--json`. */
  async ready(): Promise<{
    proxy: { host: string; port: number };
    isolated: boolean;
    reason: string | null;
    browser: { pid: number };
    profile: { folder: string; temporary: boolean };
  }> {
    return JSON.parse((await until(() => /^\{"event":"ready".*\}$/m.exec(this.output)))[0]);
  }
}

/** Waits until `look` finds something; fails after ten seconds. */
export async function until<T>(look: () => T | null | undefined | false): Promise<T> {
  const end = performance.now() + 10_000;
  for (;;) {
    const found = look();
    if (found) return found;
    if (performance.now() > end) throw new Error('waited for ten seconds in vain');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
}

/** Process ids, without those that have ended and wait for their parent to notice. */
export function processes(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && stateOf(name) !== 'Z')
    .map(Number);
}

/** The command line of a process, its words separated by spaces. */
export function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ');
}

/** Processes that have `text` on their command line. */
export function processesWith(text: string): number[] {
  return processes().filter(pid => pid !== process.pid && commandLine(pid).includes(text));
}

/** Processes in a network namespace, as `net:[…]`. */
export function processesIn(namespace: string): number[] {
  return processes().filter(pid => namespaceOf(pid) === namespace);
}

export function namespaceOf(pid: number | string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

/** What the open descriptors of a process are, besides standard input and outputs. */
export function openFiles(pid: number): string[] {
  const descriptors = readdirSync(`/proc/${pid}/fd`).filter(descriptor => Number(descriptor) > 2);
  return descriptors.map(descriptor => readlinkSync(`/proc/${pid}/fd/${descriptor}`));
}

/** The value of a line in `/proc/PID/status`. */
export function statusOf(pid: number, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(read(`/proc/${pid}/status`))?.[1] ?? '';
}

/** Waits until nothing is left of a browse: no process of it, in its namespace or with its profile, no profile. */
export async function nothingLeft(namespace: string, profile: string): Promise<void> {
  await until(
    () => processesIn(namespace).length === 0 && processesWith(profile).length === 0 && !existsSync(profile),
  );
}

function stateOf(pid: string): string {
  return /\) (\w) /.exec(read(`/proc/${pid}/stat`))?.[1] ?? 'Z';
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
