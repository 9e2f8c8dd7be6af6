import { describe, expect, it } from 'vitest';
import { PathRates } from '../src/path-rates.ts';

describe('rates of paths', () => {
  it('come from two looks at what they carried', () => {
    const rates = new PathRates();
    expect(rates.take({ a: { bytesIn: 1000, bytesOut: 0 } }, 0).size).toBe(0);
    expect(rates.take({ a: { bytesIn: 3000, bytesOut: 500 } }, 2000).get('a')).toEqual({
      down: 1000,
      up: 250,
    });
  });

  it('are never negative when a gateway that was restarted counts anew', () => {
    const rates = new PathRates();
    rates.take({ a: { bytesIn: 1000, bytesOut: 1000 } }, 0);
    expect(rates.take({ a: { bytesIn: 10, bytesOut: 10 } }, 1000).get('a')).toEqual({ down: 0, up: 0 });
  });

  it('are kept apart', () => {
    const rates = new PathRates();
    rates.take({ a: { bytesIn: 0, bytesOut: 0 } }, 0);
    const second = rates.take({ a: { bytesIn: 10, bytesOut: 0 }, b: { bytesIn: 99, bytesOut: 0 } }, 1000);
    expect([...second.keys()]).toEqual(['a']);
  });
});
