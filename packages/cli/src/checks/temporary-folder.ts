import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunReport, reportOf } from './run-report.ts';

/** The folder that everything under test takes for the machine's temporary folder, so that what it leaves behind is seen. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'mp-'));
  readonly #before = process.env.TMPDIR;

  constructor() {
    // As the machine's own: tests become other users.
    chmodSync(this.path, 0o1777);
    process.env.TMPDIR = this.path;
  }

  /** Says what our own programs and tests have left behind; what browsers leave when they are killed goes without a word. */
  check(): RunReport {
    const left = readdirSync(this.path)
      .filter(name => /^m(any)?p/.test(name))
      .sort();
    const isEmpty = left.length === 0;
    process.stdout.write(`${isEmpty ? 'ok' : 'FAILED'}: temporary folder\n`);
    if (!isEmpty) process.stdout.write(`  left behind: ${left.join(', ')}\n`);
    return reportOf(isEmpty);
  }

  [Symbol.dispose](): void {
    if (this.#before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = this.#before;
    rmSync(this.path, { recursive: true, force: true });
  }
}
