import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../results', import.meta.url));

/** Writes what a benchmark has found to `bench/results/NAME-TIME.json`, with the machine it was found on. */
export function saveResult(name: string, result: object): void {
  const at = new Date().toISOString();
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}-${at.replaceAll(':', '-')}.json`);
  const machine = { kernel: release(), node: process.version, cpus: cpus().length, cpu: cpus()[0]?.model };
  writeFileSync(file, `${JSON.stringify({ benchmark: name, at, machine, ...result }, undefined, 2)}\n`);
  process.stderr.write(`written to ${file}\n`);
}
