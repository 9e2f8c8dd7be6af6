import { randomInt } from 'node:crypto';
import { defineConfig } from 'vitest/config';
import { ClosingLines } from './test/reporting/closing-lines.ts';

const seed = Number(process.env.MANYPATH_SEED ?? randomInt(2 ** 31));
const conditions = ['manypath-source', 'node', 'import', 'default'];
const places = ['packages/*/test', 'lab/test', 'bench/test', 'test'];
const named = (suffix: string) => places.map(place => `${place}/**/*.${suffix}.ts`);

const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
};
const everyTest = {
  pool: 'forks',
  env: { MANYPATH_SEED: String(seed) },
  setupFiles: 'test/reporting/one-seed.ts',
} as const;
const overRealNetworks = {
  ...everyTest,
  retry: process.env.CI === undefined ? 0 : 1,
  maxWorkers: 2,
  hookTimeout: 60_000,
} as const;

/**
 * Kinds of tests by file name: `*.test.ts` needs nothing, `*.lab.test.ts` needs network namespaces, `*.browser.test.ts` needs
 * Chromium (and mostly namespaces too). One kind is run after the other, on as many workers as two cores bear: unit tests mostly
 * wait for sockets and programs, while real links and real browsers take a core each. What measures time or rates to a few per
 * cent, floods, or looks at all labs of the machine has it for itself: `*.lab-alone.test.ts`.
 *
 * In CI a lab or browser test that fails is tried once more, and named in the closing lines: on a busy machine of two cores
 * they now and then take longer than any limit that still makes sense. Unit tests get no second chance: their random cases
 * would be others, and what the first had found would be lost.
 */
export default defineConfig({
  test: {
    reporters: ['default', new ClosingLines(seed)],
    projects: [
      {
        ...shared,
        test: {
          ...everyTest,
          name: 'unit',
          include: named('test'),
          exclude: ['**/*.{lab,lab-alone,browser}.test.ts', '**/node_modules/**'],
          retry: 0,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
          testTimeout: 30_000,
        },
      },
      {
        ...shared,
        test: {
          ...overRealNetworks,
          name: 'lab',
          include: named('lab.test'),
          sequence: { groupOrder: 2 },
          testTimeout: 90_000,
        },
      },
      {
        ...shared,
        test: {
          ...overRealNetworks,
          name: 'lab-alone',
          include: named('lab-alone.test'),
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
          testTimeout: 90_000,
        },
      },
      {
        ...shared,
        test: {
          ...overRealNetworks,
          name: 'browser',
          include: named('browser.test'),
          sequence: { groupOrder: 3 },
          testTimeout: 120_000,
        },
      },
    ],
  },
});
