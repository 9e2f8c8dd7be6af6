import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { removeFolder } from '../../../../test/support/remove-folder.ts';

/** The built command line, as people run it. */
export const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** A folder for state and configuration, and commands that use it. */
export class CommandFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'manypath-cli-'));
  readonly config = join(this.path, 'manypath', 'config.json');
  readonly env: NodeJS.ProcessEnv = { ...process.env, XDG_CONFIG_HOME: this.path, XDG_STATE_HOME: this.path };

  /** Runs a command to its end. */
  run(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [main, ...parameters], { encoding: 'utf8', env: this.env });
  }

  /** Starts a gateway. @returns What stops it. */
  async up(...parameters: string[]): Promise<() => Promise<void>> {
    const child = spawn(process.execPath, [main, 'up', '--json', '--listen', '127.0.0.1:0', ...parameters], {
      env: this.env,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    await Promise.race([
      once(lines, 'line'),
      ended.then(([code]) => Promise.reject(new Error(`the gateway ended with ${code}`))),
    ]);
    return async () => {
      child.kill('SIGTERM');
      await ended;
    };
  }

  [Symbol.dispose](): void {
    removeFolder(this.path);
  }
}
