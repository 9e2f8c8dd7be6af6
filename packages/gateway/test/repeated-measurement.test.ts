import { describe, expect, it } from 'vitest';
import { RepeatedMeasurement } from '../src/lanes/repeated-measurement.ts';

function of(...rates: readonly (readonly [down: number, up: number])[]): RepeatedMeasurement {
  const repeated = new RepeatedMeasurement();
  for (const [downMbps, upMbps] of rates) repeated.add({ downMbps, upMbps });
  return repeated;
}

describe('a repeated measurement', () => {
  it('is believed when two agree in both directions, or after three', () => {
    expect(of([20, 20]).isBelieved).toBe(false);
    expect(of([20, 20], [17, 23]).isBelieved).toBe(true);
    expect(of([20, 20], [20, 12]).isBelieved).toBe(false);
    expect(of([20, 20], [12, 20]).isBelieved).toBe(false);
    expect(of([20, 20], [10, 20], [5, 20]).isBelieved).toBe(true);
  });

  it('says the middle one of each rate, so that one that was far off counts for nothing', () => {
    expect(of([10, 60], [30, 28], [28, 30]).figures()).toEqual({ downMbps: 28, upMbps: 30 });
    expect(of([20, 10], [30, 20]).figures()).toEqual({ downMbps: 25, upMbps: 15 });
  });

  it('says the least round trip, and leaves out what was never measured', () => {
    const repeated = new RepeatedMeasurement();
    repeated.add({ rttMs: 40, downMbps: 8 });
    repeated.add({ rttMs: 25 });
    expect(repeated.figures()).toEqual({ rttMs: 25, downMbps: 8 });
    expect(new RepeatedMeasurement().figures()).toEqual({});
  });
});
