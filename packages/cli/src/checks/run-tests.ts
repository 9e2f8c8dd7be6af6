import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, runProgram } from './run-program.ts';
import { type RunReport, reportOf } from './run-report.ts';

/** Which tests are run, and by what. */
export interface RunTestsOptions {
  /** Only tests of these kinds: `unit`, `lab`, `browser`. Default: all. */
  readonly projects?: readonly string[];
  /** Only files whose names contain one of these. Default: all. */
  readonly filters?: readonly string[];
  /** The Node.js that runs them. Default: the one that runs this. */
  readonly node?: string;
}

const reports = join(root, '.manypath');

/** Runs tests with Vitest. */
export async function runTests({
  projects = [],
  filters = [],
  node = process.execPath,
}: RunTestsOptions = {}): Promise<RunReport> {
  mkdirSync(reports, { recursive: true });
  const file = join(reports, `test-report-${process.pid}.json`);
  try {
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const selection = [...projects.map(project => `--project=${project}`), ...filters];
    const code = await runProgram([node, vitest, 'run', ...selection], {
      node,
      env: { MANYPATH_TEST_REPORT: file },
    });
    // Without a report Vitest ended before the tests did.
    if (!existsSync(file)) return reportOf(false);
    const report = JSON.parse(readFileSync(file, 'utf8')) as RunReport;
    return code === 0 || report.failed > 0 ? report : { ...report, failed: 1 };
  } finally {
    rmSync(file, { force: true });
  }
}
