import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireTool } from './tools.ts';

const sources = fileURLToPath(new URL('../load', import.meta.url));

/** The programs in `bench/load`, compiled for this run: what drives a proxy and what it leads to must cost next to nothing. */
export class LoadPrograms implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  /** Opens connections and moves bytes; see `bench/load/load.c`. */
  readonly load = join(this.#folder, 'load');
  /** A web server; see `bench/load/origin.c`. */
  readonly origin = join(this.#folder, 'origin');

  /** @throws BenchToolMissingError `MANYPATH_BENCH_TOOL_MISSING` without a C compiler */
  constructor() {
    try {
      for (const name of ['load', 'origin'] as const) compile(name, this[name]);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function compile(name: string, output: string): void {
  const files = [`${name}.c`, 'tunnel.c'].map(file => join(sources, file));
  const words = ['-O2', '-Wall', '-pthread', '-o', output, ...files];
  const { status, stderr } = spawnSync(requireTool('cc'), words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`bench/load/${name}.c cannot be compiled\n${stderr}`);
}
