import type { PathStatus } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { PathRates } from '../src/path-rates.ts';

function path(name: string, bytesIn: number, bytesOut: number): PathStatus {
  return { name, bytesIn, bytesOut } as PathStatus;
}

describe('rates of paths', () => {
  it('come from two looks at the counters', () => {
    const rates = new PathRates();
    expect(rates.take([path('a', 1000, 0)], 0).size).toBe(0);
    expect(rates.take([path('a', 3000, 500)], 2000).get('a')).toEqual({ down: 1000, up: 250 });
  });

  it('are never negative when an interface begins to count anew', () => {
    const rates = new PathRates();
    rates.take([path('a', 1000, 1000)], 0);
    expect(rates.take([path('a', 10, 10)], 1000).get('a')).toEqual({ down: 0, up: 0 });
  });

  it('are kept apart', () => {
    const rates = new PathRates();
    rates.take([path('a', 0, 0)], 0);
    const second = rates.take([path('a', 10, 0), path('b', 99, 0)], 1000);
    expect([...second.keys()]).toEqual(['a']);
  });
});
