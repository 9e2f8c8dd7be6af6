import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs tests of every outcome, as `manypath test` does. @returns The lines after them. */
function closingLines(env: NodeJS.ProcessEnv = {}): string[] {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const config = join(root, 'test/reporting/fixture/vitest.config.ts');
  const { stdout } = spawnSync(process.execPath, [vitest, 'run', '--config', config], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...env },
  });
  return stdout.split('\n').filter(line => line !== '');
}

describe('the closing lines of a run', { timeout: 60_000 }, () => {
  it('tell the seed, what was tried twice, why tests were skipped, and the counts', () => {
    expect(closingLines()).toEqual([
      'random cases are made from 42',
      'random cases were made from 42; again with MANYPATH_SEED=42',
      'tried a second time: 1',
      '  retries.lab-cases.ts: passes when it is tried again',
      'skipped, it rains:',
      '  outcomes.cases.ts: says itself why it is skipped',
      'skipped, needs the sun:',
      '  outcomes.cases.ts: around a test that is skipped (needs the sun) > has its reason (whatever else it says)',
      'skipped, needs root:',
      '  retries.lab-cases.ts: cannot run here (needs root)',
      '3 passed, 2 failed, 3 skipped',
    ]);
  });

  it('count a test as failed that was skipped though it is required', () => {
    const lines = closingLines({ MANYPATH_REQUIRE: 'lab,browser' });
    expect(lines).toContain(
      'FAILED: skipped, though it is required: retries.lab-cases.ts: cannot run here (needs root)',
    );
    expect(lines.at(-1)).toBe('3 passed, 3 failed, 2 skipped');
  });
});
