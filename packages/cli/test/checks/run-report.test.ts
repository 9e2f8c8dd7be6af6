import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { addReports, closingLines, isRequired, reportOf, skippedCheck } from '../../src/checks/run-report.ts';

describe('the closing lines of a run', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('end with the counts, alone on their line', () => {
    expect(closingLines(addReports([reportOf(true), reportOf(true), reportOf(false)]))).toEqual([
      'no test needed a second try',
      '2 passed, 1 failed',
    ]);
  });

  it('count a check that could not be made as failed where it is required', () => {
    vi.stubEnv('MANYPATH_REQUIRE', 'lab,browser');
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    onTestFinished(() => write.mockRestore());
    expect(skippedCheck('lab', 'benchmarks', 'needs root')).toMatchObject({ failed: 1, skipped: [] });
    expect(write.mock.calls.join('')).toContain('FAILED: skipped, though it is required: benchmarks');
  });

  it('count lab tests that have the machine for themselves as required where lab tests are', () => {
    vi.stubEnv('MANYPATH_REQUIRE', 'lab');
    expect(['lab', 'lab-alone', 'browser', ''].filter(isRequired)).toEqual(['lab', 'lab-alone']);
  });

  it('name the seed, what was tried twice, and why tests were skipped', () => {
    vi.stubEnv('MANYPATH_REQUIRE', '');
    const tests = {
      passed: 7,
      failed: 0,
      skipped: [
        { name: 'a.test.ts: one', reason: 'needs root' },
        { name: 'a.test.ts: two', reason: 'needs root' },
        { name: 'b.test.ts: three', reason: undefined },
      ],
      retried: ['c.lab.test.ts: link b falls silent'],
      seed: 42,
    };
    expect(
      closingLines(addReports([reportOf(true), tests, skippedCheck('lab', 'benchmarks', 'needs root')])),
    ).toEqual([
      'random cases were made from 42; again with MANYPATH_SEED=42',
      'tried a second time: 1',
      '  c.lab.test.ts: link b falls silent',
      'skipped, needs root:',
      '  a.test.ts: one and 2 more',
      'skipped, no reason is given:',
      '  b.test.ts: three',
      '8 passed, 0 failed, 4 skipped',
    ]);
  });
});
