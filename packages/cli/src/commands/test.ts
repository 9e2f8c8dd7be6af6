import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ManypathError } from '@manypath/core';
import type { Command } from 'commander';
import { requirePrograms } from '../system-packages.ts';

/** Everything that CI runs, counted together. */
interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** `manypath test`: everything that CI runs. */
export function addTestCommand(program: Command): void {
  program
    .command('test')
    .summary('run everything that CI runs: lint, types, unit, lab and browser tests')
    .argument('[files...]', 'run only tests whose file name contains one of these')
    .action(async (files: string[]) => {
      process.exitCode = await test(files);
    });
}

/**
 * Runs the checks of the whole house: lint, types, then unit, lab and browser tests.
 *
 * Ends with the line `N passed, N failed[, N skipped]`, in which lint and types count as one test each.
 *
 * @param filters Parts of test file names; with any, only those tests run, without lint and types.
 * @returns The exit code: 0 when nothing failed.
 */
async function test(filters: readonly string[]): Promise<number> {
  if (!existsSync(join(root, 'vitest.config.ts'))) throw new NotACloneError();
  requirePrograms([
    'chromium',
    'ip',
    'tc',
    'nft',
    'unshare',
    'setpriv',
    'curl',
    'openssl',
    'ss',
    'ps',
    'git',
  ]);
  const tallies =
    filters.length > 0
      ? [await tests(filters)]
      : [await check('lint', 'biome', ['check', '.']), await types(), await tests([])];
  const total = tallies.reduce(add);
  process.stdout.write(`${summary(total)}\n`);
  return total.failed === 0 ? 0 : 1;
}

/** `manypath test` works on the sources, which only a clone has. */
export class NotACloneError extends ManypathError {
  constructor() {
    super('MANYPATH_NOT_A_CLONE', 'the tests are part of the source code, and this is an installed package', {
      hint: 'clone the repository and run ./manypath test there',
    });
  }
}

async function types(): Promise<Tally> {
  const build = await check('build', 'tsc', ['-b']);
  if (build.failed > 0) return build;
  return check('types', 'tsc', ['-p', 'tsconfig.test.json']);
}

async function check(title: string, program: string, parameters: readonly string[]): Promise<Tally> {
  const code = await run(program, parameters);
  process.stdout.write(`${code === 0 ? 'ok' : 'FAILED'}: ${title}\n`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

async function tests(filters: readonly string[]): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-test-'));
  const report = join(folder, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await run('vitest', ['run', ...reporters, ...filters]);
    return existsSync(report) ? tallyOf(report, code) : { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The part of Vitest's JSON report that is counted here. */
interface VitestReport {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: { status: string; assertionResults: unknown[] }[];
}

function tallyOf(report: string, code: number): Tally {
  const parsed = JSON.parse(readFileSync(report, 'utf8')) as VitestReport;
  // A file that fails before its first test has no failed test to count.
  const brokenFiles = parsed.testResults.filter(
    file => file.status === 'failed' && file.assertionResults.length === 0,
  ).length;
  const failed = parsed.numFailedTests + brokenFiles;
  return {
    passed: parsed.numPassedTests,
    // Unhandled errors fail a run in which every test passed.
    failed: failed === 0 && code !== 0 ? 1 : failed,
    skipped: parsed.numPendingTests + parsed.numTodoTests,
  };
}

function run(program: string, parameters: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const file = join(root, 'node_modules', '.bin', program);
    const path = `${dirname(process.execPath)}:${process.env.PATH ?? ''}`;
    const child = spawn(file, parameters, {
      cwd: root,
      stdio: 'inherit',
      // Tests start the command line by themselves, and see its usual name.
      env: { ...process.env, PATH: path, MANYPATH_COMMAND: undefined },
    });
    child.once('error', reject);
    child.once('exit', code => resolve(code ?? 1));
  });
}

function add(left: Tally, right: Tally): Tally {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

function summary({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
