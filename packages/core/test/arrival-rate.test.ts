import { describe, expect, it } from 'vitest';
import { ArrivalRate } from '../src/arrival-rate.ts';

/** Has chunks of 8 KB arrive at a rate. @returns When the last one did. */
function arrive(rate: ArrivalRate, bytes: number, mbps: number, from: number): number {
  let at = from;
  for (let sent = 0; sent < bytes; sent += 8192) {
    at += (8192 * 8) / (mbps * 1000);
    rate.add(8192, at);
  }
  return at;
}

describe('the rate of arrivals', () => {
  for (const mbps of [1, 10, 50, 100]) {
    it(`is told within a tenth at ${mbps} Mbit/s`, () => {
      const rate = new ArrivalRate();
      arrive(rate, 393_216, mbps, 0);
      expect(rate.mbps()).toBeGreaterThan(mbps * 0.9);
      expect(rate.mbps()).toBeLessThan(mbps * 1.1);
    });
  }

  it('is that within bursts, when a window holds the sender back between them', () => {
    const rate = new ArrivalRate();
    let at = 0;
    for (const burst of [16_384, 32_768, 65_536, 131_072, 131_072]) at = arrive(rate, burst, 40, at) + 60;
    expect(rate.mbps()).toBeGreaterThan(36);
    expect(rate.mbps()).toBeLessThan(44);
  });

  it('is not taken from what a busy reader found waiting', () => {
    const rate = new ArrivalRate();
    arrive(rate, 131_072, 20, 0);
    // 40 ms of arrivals, 100 KB, are read in one turn.
    for (let chunk = 0; chunk < 12; chunk++) rate.add(8192, 52 + 40 + chunk * 0.3);
    arrive(rate, 131_072, 20, 52 + 44);
    expect(rate.mbps()).toBeLessThan(24);
  });

  it('is not taken from arrivals whose time was told late', () => {
    const rate = new ArrivalRate({ turnMs: 0 });
    for (let at = 0; at <= 120; at += 2) {
      const isLate = at % 40 === 0;
      rate.add((2 * 30_000) / 8, at + (isLate ? 1.9 : 0), at);
    }
    expect(rate.mbps()).toBeLessThan(32);
  });

  it('is not told of too little', () => {
    const rate = new ArrivalRate();
    arrive(rate, 65_536, 20, 0);
    expect(rate.mbps()).toBeUndefined();
  });

  it('skips the burst that a shaper lets pass', () => {
    const rate = new ArrivalRate();
    const at = arrive(rate, 16_384, 10_000, 0);
    arrive(rate, 262_144, 10, at);
    expect(rate.mbps()).toBeLessThan(11);
  });
});
