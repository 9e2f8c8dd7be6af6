import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ManypathError } from '@manypath/core';
import type { Command } from 'commander';
import { fetchNodeVersions, runUnderNodeVersions } from '../checks/node-versions.ts';
import { npmProgram, root, runProgram } from '../checks/run-program.ts';
import { addReports, closingLines, type RunReport, reportOf, skippedCheck } from '../checks/run-report.ts';
import { runTests } from '../checks/run-tests.ts';
import { TemporaryFolder } from '../checks/temporary-folder.ts';
import { offerPrograms, requirePrograms } from '../system-packages.ts';

/** `manypath test`: everything that CI runs. */
export function addTestCommand(program: Command): void {
  program
    .command('test')
    .summary('run everything that CI runs: lint, types, tests, benchmarks')
    .argument('[files...]', 'run only tests whose file name contains one of these')
    .action(async (files: string[]) => {
      process.exitCode = await test(files);
    });
}

/**
 * Runs the checks of the whole house: lint, types, then unit, lab and browser tests, the unit tests under other versions of
 * Node.js, the benchmarks with little to do, and whether anything was left in the temporary folder.
 *
 * Ends with the line `N passed, N failed[, N skipped]`, in which all that are not tests count as one each; before it stand
 * the seed of the random cases, which tests needed a second try, and what was skipped, and why.
 *
 * @param filters Parts of test file names; with any, only those tests run, and nothing else.
 * @returns The exit code: 0 when nothing failed.
 */
async function test(filters: readonly string[]): Promise<number> {
  if (!existsSync(join(root, 'vitest.config.ts'))) throw new NotACloneError();
  await requirePrograms([
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
    'script',
    'sudo',
    'git',
  ]);
  // Other proxies, to compare with, and what checks units: where they cannot be installed, that test is skipped and says so.
  await offerPrograms(['squid', 'tinyproxy', 'systemd-analyze']);
  // The benchmarks' compiler and peers: what is missing there is named.
  if (whyNoLab() === undefined) await offerPrograms(['cc', 'haproxy', 'microsocks', 'mptcpize', 'ss-local']);
  process.env.MANYPATH_SEED ??= String(randomInt(2 ** 31));
  using folder = new TemporaryFolder();
  const reports = filters.length > 0 ? [await runTests({ filters })] : await everything(folder);
  const report = addReports(reports);
  process.stdout.write(`\n${closingLines(report).join('\n')}\n`);
  return report.failed === 0 ? 0 : 1;
}

/** `manypath test` works on the sources, which only a clone has. */
export class NotACloneError extends ManypathError {
  constructor() {
    super('MANYPATH_NOT_A_CLONE', 'the tests are part of the source code, and this is an installed package', {
      hint: 'clone the repository and run ./manypath test there',
    });
  }
}

async function everything(folder: TemporaryFolder): Promise<RunReport[]> {
  // Most of the time there passes with waiting for the registry.
  const nodeVersions = fetchNodeVersions();
  return [
    await check('lint', [npmProgram('biome'), 'check', '.']),
    await types(),
    await runTests(),
    await runUnderNodeVersions(await nodeVersions, whyNoLab() === undefined),
    await benchmarks(whyNoLab()),
    folder.check(),
  ];
}

/** Why the lab cannot be built here; `undefined` when it can. */
function whyNoLab(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'network namespaces need root';
}

async function types(): Promise<RunReport> {
  const build = await check('build', [npmProgram('tsc'), '-b']);
  if (build.failed > 0) return build;
  return check('types', [npmProgram('tsc'), '-p', 'tsconfig.test.json']);
}

/** That every benchmark runs; what it measures is not looked at. */
async function benchmarks(whyNot: string | undefined): Promise<RunReport> {
  if (whyNot !== undefined) return skippedCheck('lab', 'benchmarks', whyNot);
  const main = join(root, 'bench', 'dist', 'main.js');
  return check('benchmarks', [process.execPath, main, 'all', '--quick']);
}

async function check(title: string, command: readonly string[]): Promise<RunReport> {
  const code = await runProgram(command);
  process.stdout.write(`${code === 0 ? 'ok' : 'FAILED'}: ${title}\n`);
  return reportOf(code === 0);
}
