import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dayOf, monthStartOf } from '../src/tiers/periods.ts';

const zone = process.env.TZ;
beforeEach(() => {
  process.env.TZ = 'Europe/Berlin';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const day = (utc: string) => dayOf(new Date(utc));
const month = (utc: string, resetDay: number) => monthStartOf(new Date(utc), resetDay);

describe('a day', () => {
  it('goes from midnight to midnight by the clock on the wall', () => {
    expect(day('2025-06-30T21:59:59.999Z')).toBe('2025-06-30');
    expect(day('2025-06-30T22:00:00Z')).toBe('2025-07-01');
    expect(day('2025-12-31T22:59:59Z')).toBe('2025-12-31');
    expect(day('2025-12-31T23:00:00Z')).toBe('2026-01-01');
  });

  it('has 23 hours when the clock is put forward and 25 when it is put back', () => {
    const hours = (from: string, name: string) =>
      Array.from({ length: 72 }, (_, hour) => dayOf(new Date(Date.parse(from) + hour * 3_600_000))).filter(
        found => found === name,
      ).length;
    expect(hours('2025-03-29T00:00:00Z', '2025-03-30')).toBe(23);
    expect(hours('2025-10-25T00:00:00Z', '2025-10-26')).toBe(25);
  });
});

describe('a month', () => {
  const cases: [utc: string, resetDay: number, start: string][] = [
    ['2025-07-01T12:00:00Z', 1, '2025-07-01'],
    ['2025-07-31T21:59:59Z', 1, '2025-07-01'],
    ['2025-07-14T12:00:00Z', 15, '2025-06-15'],
    ['2025-07-15T12:00:00Z', 15, '2025-07-15'],
    ['2025-01-03T12:00:00Z', 20, '2024-12-20'],
    ['2025-02-27T12:00:00Z', 31, '2025-01-31'],
    ['2025-02-28T12:00:00Z', 31, '2025-02-28'],
    ['2024-02-28T12:00:00Z', 30, '2024-01-30'],
    ['2024-02-29T12:00:00Z', 30, '2024-02-29'],
    ['2025-03-30T12:00:00Z', 31, '2025-02-28'],
    ['2025-03-31T12:00:00Z', 31, '2025-03-31'],
    ['2025-04-30T12:00:00Z', 31, '2025-04-30'],
  ];
  for (const [utc, resetDay, start] of cases) {
    it(`that begins on the ${resetDay}. began on ${start} as seen on ${utc}`, () => {
      expect(month(utc, resetDay)).toBe(start);
    });
  }

  it('begins neither later than the day nor before the last one ended, on all days of four years', () => {
    for (let resetDay = 1; resetDay <= 31; resetDay += 1) {
      let [before, starts] = ['', 0];
      for (let offset = 0; offset < 1461; offset += 1) {
        const moment = new Date(2024, 0, 1 + offset, 0, 0, 1);
        const start = monthStartOf(moment, resetDay);
        expect(start <= dayOf(moment)).toBe(true);
        expect(start >= before).toBe(true);
        if (start !== before) starts += 1;
        before = start;
      }
      expect(starts).toBeGreaterThanOrEqual(48);
      expect(starts).toBeLessThanOrEqual(49);
    }
  });
});
