import { expect } from 'vitest';

/** Expects something of a value that is still on its way there. */
export function eventually<T>(value: () => T) {
  return expect.poll(value, { timeout: 10_000, interval: 20 });
}
