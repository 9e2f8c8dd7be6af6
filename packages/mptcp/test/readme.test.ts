import { describe, expect, test } from 'vitest';
import { cert, key } from './support/certificate.ts';
import { readmeExamples, runExample } from './support/readme.ts';
import { needsMptcp } from './support/requirements.ts';
import { openSockets } from './support/sockets.ts';

describe('the README', () => {
  needsMptcp();

  const examples = readmeExamples();

  test('has examples', () => {
    expect(examples.length).toBeGreaterThan(5);
  });

  test.each(examples.filter(example => !example.needsRoot))('line $line does what it says', async example => {
    const before = openSockets();
    expect(await runExample(example, { cert, key })).toEqual(example.prints);
    expect(example.prints.length).toBeGreaterThan(0);
    await expect.poll(openSockets).toBe(before);
  });
});
