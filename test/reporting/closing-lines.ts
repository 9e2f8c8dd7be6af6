import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestCase, TestModule, TestSuite, Vitest } from 'vitest/node';
import {
  closingLines,
  isRequired,
  type RunReport,
  type SkippedTest,
} from '../../packages/cli/src/checks/run-report.ts';

/**
 * Tells at the end of a run what its counts do not: the seed of its random cases, which tests failed and were tried once more,
 * and which were skipped, and why.
 *
 * With `MANYPATH_TEST_REPORT` it writes that to the file of this name instead of the terminal. Tests of a kind that
 * `MANYPATH_REQUIRE` names must not be skipped: the run then fails.
 */
export class ClosingLines implements Reporter {
  readonly #seed: number;
  #selected = false;

  constructor(seed: number) {
    this.#seed = seed;
  }

  onInit({ config }: Vitest): void {
    this.#selected = config.testNamePattern !== undefined;
    process.stdout.write(`random cases are made from ${this.#seed}\n`);
  }

  onTestRunEnd(ended: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const byName = (one: TestModule, other: TestModule) =>
      one.relativeModuleId.localeCompare(other.relativeModuleId);
    const report = this.#report(ended.toSorted(byName), unhandledErrors);
    if (report.failed > 0) process.exitCode = 1;
    const file = process.env.MANYPATH_TEST_REPORT;
    if (file === undefined) process.stdout.write(`\n${closingLines(report).join('\n')}\n`);
    else writeFileSync(file, JSON.stringify(report));
  }

  #report(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): RunReport {
    const tests = modules.flatMap(module => [...module.children.allTests()]);
    const inState = (state: string) => tests.filter(test => test.result().state === state);
    // With a pattern for names, what does not fit counts as skipped.
    const skipped = this.#selected ? [] : inState('skipped');
    const forbidden = skipped.filter(({ project }) => isRequired(project.name));
    for (const test of forbidden) {
      process.stdout.write(`FAILED: skipped, though it is required: ${nameOf(test)}\n  ${reasonOf(test)}\n`);
    }
    // A file that fails before its first test has no failed test to count; nor has an error outside of tests.
    const broken = modules.filter(module => module.errors().length > 0);
    const failed = inState('failed').length + broken.length + forbidden.length;
    return {
      passed: inState('passed').length,
      failed: failed === 0 && unhandledErrors.length > 0 ? 1 : failed,
      skipped: skipped.filter(test => !forbidden.includes(test)).map(skippedTest),
      retried: tests.filter(test => (test.diagnostic()?.retryCount ?? 0) > 0).map(nameOf),
      seed: this.#seed,
    };
  }
}

function skippedTest(test: TestCase): SkippedTest {
  return { name: nameOf(test), reason: reasonOf(test) };
}

function nameOf({ module, fullName }: TestCase): string {
  return `${module.relativeModuleId}: ${fullName}`;
}

/**
 * Why a test was skipped: what it said itself, or what stands in brackets at the end of a name, its own or that of one around
 * it; the outermost that is skipped tells.
 */
function reasonOf(test: TestCase): string | undefined {
  const result = test.result();
  if (result.state === 'skipped' && result.note !== undefined) return result.note;
  return around(test)
    .filter(({ options }) => options.mode === 'skip')
    .map(({ name }) => /\((?:skipped: )?([^()]+)\)$/.exec(name)?.[1])
    .find(reason => reason !== undefined);
}

/** A test and the groups that it is in, the outermost first. */
function around(test: TestCase): (TestCase | TestSuite)[] {
  const chain: (TestCase | TestSuite)[] = [];
  for (let task: TestCase['parent'] | TestCase = test; task.type !== 'module'; task = task.parent)
    chain.unshift(task);
  return chain;
}
