import { describe, expect, test } from 'vitest';
import { TestNamespace } from './support/namespace.ts';
import { readmeExamples, runExample } from './support/readme.ts';
import { needsLab } from './support/requirements.ts';

describe('the README, as root', () => {
  needsLab();

  test.each(readmeExamples().filter(example => example.needsRoot))(
    'line $line does what it says',
    async example => {
      using namespace = new TestNamespace();
      expect(await runExample(example, { namespace: namespace.name })).toEqual(example.prints);
      expect(example.prints.length).toBeGreaterThan(0);
    },
  );
});
