/** A test that did not run, and why. */
export interface SkippedTest {
  readonly name: string;
  /** In words; `undefined` when the test does not say. */
  readonly reason: string | undefined;
}

/** What came of some checks. Reports of several are added up. */
export interface RunReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedTest[];
  /** Names of tests that failed and were tried once more. */
  readonly retried: readonly string[];
  /** What the random cases were made from; `undefined` when there were none. */
  readonly seed: number | undefined;
}

/** What came of one check that either holds or does not. */
export function reportOf(holds: boolean): RunReport {
  return { passed: holds ? 1 : 0, failed: holds ? 0 : 1, skipped: [], retried: [], seed: undefined };
}

/**
 * Whether tests of a kind must not be skipped: `MANYPATH_REQUIRE` names any of `unit`, `lab` and `browser`. Lab tests that have
 * the machine for themselves, `lab-alone`, are lab tests.
 */
export function isRequired(kind: string): boolean {
  const required = (process.env.MANYPATH_REQUIRE ?? '').split(',');
  return required.includes(kind.replace(/-alone$/, ''));
}

/** What came of a check that could not be made. It has failed where tests of its kind are required. */
export function skippedCheck(kind: string, name: string, reason: string): RunReport {
  if (!isRequired(kind)) return { ...reportOf(true), passed: 0, skipped: [{ name, reason }] };
  process.stdout.write(`FAILED: skipped, though it is required: ${name}\n  ${reason}\n`);
  return reportOf(false);
}

/** Adds up what came of several checks. */
export function addReports(reports: readonly RunReport[]): RunReport {
  const sum = (figure: (report: RunReport) => number) =>
    reports.reduce((total, report) => total + figure(report), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed),
    skipped: reports.flatMap(({ skipped }) => skipped),
    retried: reports.flatMap(({ retried }) => retried),
    seed: reports.find(({ seed }) => seed !== undefined)?.seed,
  };
}

/** The closing lines: the seed, what was tried twice, what was skipped and why, and last the counts. */
export function closingLines(report: RunReport): string[] {
  return [
    ...seedLines(report.seed),
    ...retryLines(report.retried),
    ...skipLines(report.skipped),
    counts(report),
  ];
}

function seedLines(seed: number | undefined): string[] {
  return seed === undefined ? [] : [`random cases were made from ${seed}; again with MANYPATH_SEED=${seed}`];
}

function retryLines(retried: readonly string[]): string[] {
  if (retried.length === 0) return ['no test needed a second try'];
  return [`tried a second time: ${retried.length}`, ...retried.map(name => `  ${name}`)];
}

/** Tests of one reason are named together. */
function skipLines(skipped: readonly SkippedTest[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { name, reason = 'no reason is given' } of skipped) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), name]);
  }
  return [...byReason].flatMap(([reason, [first = '', ...others]]) => {
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    return [`skipped, ${reason}:`, `  ${first}${more}`];
  });
}

function counts({ passed, failed, skipped }: RunReport): string {
  const skips = skipped.length > 0 ? `, ${skipped.length} skipped` : '';
  return `${passed} passed, ${failed} failed${skips}`;
}
