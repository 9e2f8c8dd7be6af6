import type { SubflowInfo } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { RateWatch } from '../src/steering/rate-watch.ts';

const subflow = (bytesReceived: number, bytesAcked: number) =>
  ({ bytesReceived, bytesAcked }) as unknown as SubflowInfo;

/** Looks every `stepMs` at a subflow that carries at these rates. @returns What was told, and when. */
function watch(seconds: number, stepMs: number, downMbps: number, upMbps: number) {
  const rates = new RateWatch();
  const told: { at: number; downMbps: number; upMbps: number }[] = [];
  for (let at = 0; at <= seconds * 1000; at += stepMs) {
    const bytes = (mbps: number) => 5_000_000 + (mbps * 1000 * at) / 8;
    const rate = rates.look(new Map([['a', subflow(bytes(downMbps), bytes(upMbps))]]), at).get('a');
    if (rate !== undefined) told.push({ at, ...rate });
  }
  return told;
}

describe('what a subflow is seen to carry', () => {
  it('is told about once a second, by what came since it was first looked at', () => {
    const told = watch(3.1, 30, 24, 2);
    expect(told.map(({ at }) => Math.round(at / 1000))).toEqual([1, 2, 3]);
    for (const rate of told) {
      expect(rate.downMbps).toBeCloseTo(24, 6);
      expect(rate.upMbps).toBeCloseTo(2, 6);
    }
  });

  it('is not told of looks that are far apart, nor of a subflow that is another one', () => {
    expect(watch(9, 3000, 24, 2)).toEqual([]);
    const rates = new RateWatch();
    rates.look(new Map([['a', subflow(0, 0)]]), 0);
    rates.look(new Map([['b', subflow(0, 0)]]), 500);
    expect(rates.look(new Map([['a', subflow(9_000_000, 0)]]), 1100).size).toBe(0);
  });
});
