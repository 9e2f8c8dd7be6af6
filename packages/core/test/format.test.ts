import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration, formatRate } from '../src/index.ts';

describe('figures for people', () => {
  it('are bytes in powers of ten', () => {
    const written: [number, string][] = [
      [0, '0 B'],
      [1, '1 B'],
      [999, '999 B'],
      [999.4, '999 B'],
      [999.5, '1.0 kB'],
      [1000, '1.0 kB'],
      [1234, '1.2 kB'],
      [99_949, '99.9 kB'],
      [99_950, '100 kB'],
      [999_499, '999 kB'],
      [999_500, '1.0 MB'],
      [34_000_000, '34.0 MB'],
      [1e9, '1.0 GB'],
      [5e15, '5.0 PB'],
      [5e18, '5000 PB'],
    ];
    for (const [bytes, text] of written) expect(formatBytes(bytes), String(bytes)).toBe(text);
  });

  it('are rates in bits', () => {
    expect(formatRate(56_300_000)).toBe('56.3 Mbit/s');
    expect(formatRate(0)).toBe('0 bit/s');
  });

  it('are durations in the two units that matter', () => {
    const written: [number, string][] = [
      [0, '0 ms'],
      [0.4, '0 ms'],
      [999, '999 ms'],
      [999.5, '1.0 s'],
      [1000, '1.0 s'],
      [4230, '4.2 s'],
      [59_949, '59.9 s'],
      [59_950, '1 min 0 s'],
      [185_000, '3 min 5 s'],
      [3_599_400, '59 min 59 s'],
      [3_599_500, '1 h 0 min'],
      [7_440_000, '2 h 4 min'],
      [90_000_000, '25 h 0 min'],
    ];
    for (const [milliseconds, text] of written) expect(formatDuration(milliseconds)).toBe(text);
  });
});
