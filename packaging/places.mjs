/** Where things are in the clone, and small helpers that every part of the build uses. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The version of everything that is built. */
export const version = readJson(join(root, 'packages', 'cli', 'package.json')).version;

/** Runs a program in a folder, and returns what it printed; what it says of its progress is shown when it fails. */
export function run(command, { cwd = root } = {}) {
  const [program, ...parameters] = command;
  const { status, stdout, stderr, error } = spawnSync(program, parameters, { cwd, encoding: 'utf8' });
  if (status !== 0) {
    throw new Error(`${command.join(' ')} failed: ${error?.message ?? `${stderr}${stdout}`.trim()}`);
  }
  return stdout.trim();
}

/** Does something in a folder that is gone afterwards. */
export async function inTemporaryFolder(action) {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-pack-'));
  try {
    return await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

export function writeJson(file, value) {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}
