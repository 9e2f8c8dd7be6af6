import { defineConfig } from 'vitest/config';

const conditions = ['manypath-source', 'node', 'import', 'default'];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
};
const places = ['packages/*/test', 'lab/test', 'bench/test', 'test'];
const retry = process.env.CI === undefined ? 0 : 1;
const named = (suffix: string) => places.map(place => `${place}/**/*.${suffix}.ts`);

/**
 * Three kinds of tests by file name: `*.test.ts` needs nothing, `*.lab.test.ts` needs network namespaces,
 * `*.browser.test.ts` needs Chromium (and mostly namespaces too). The last two run one file at a time,
 * because they share the machine's two cores with real links and a real browser.
 *
 * In CI a test that fails is tried once more, and reported as such: real sockets on a busy machine of two cores
 * now and then take longer than any limit that still makes sense.
 */
export default defineConfig({
  test: {
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: named('test'),
          exclude: ['**/*.lab.test.ts', '**/*.browser.test.ts', '**/node_modules/**'],
          pool: 'forks',
          retry,
          testTimeout: 15_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'lab',
          include: named('lab.test'),
          pool: 'forks',
          retry,
          fileParallelism: false,
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'browser',
          include: named('browser.test'),
          pool: 'forks',
          retry,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
