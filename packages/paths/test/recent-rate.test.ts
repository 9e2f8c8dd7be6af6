import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentRate } from '../src/tiers/recent-rate.ts';

describe('the rate of the last moments', () => {
  it('is nothing before anything was carried, and again when nothing was for a while', () => {
    const rate = new RecentRate(0);
    expect(rate.expected(0)).toBe(0);
    rate.count(1000);
    rate.look(100);
    expect(rate.expected(100)).toBeGreaterThan(0);
    rate.look(700);
    expect(rate.expected(700)).toBe(0);
    expect(rate.highest).toBe(10_000);
  });

  it('is the highest that was seen, and a quarter more because it may still grow', () => {
    const rate = new RecentRate(0);
    rate.count(5000);
    rate.look(100);
    rate.count(1000);
    rate.look(200);
    expect(rate.expected(200)).toBe(62_500);
    expect(rate.expected(750)).toBe(12_500);
  });

  it('waits for a span that tells something, and loses nothing meanwhile', () => {
    const rate = new RecentRate(0);
    rate.count(300);
    rate.look(19);
    expect(rate.expected(19)).toBe(0);
    rate.count(700);
    rate.look(50);
    expect(rate.highest).toBe(20_000);
  });

  it('does not spread what came lately over a long time in which nobody looked', () => {
    const rate = new RecentRate(0);
    rate.count(6000);
    rate.look(3_600_000);
    expect(rate.highest).toBe(10_000);
  });

  it('is never below what came in the last span, nor above the highest ever by more than a quarter', () => {
    const looks = fc.array(fc.record({ ms: fc.integer({ min: 20, max: 900 }), bytes: fc.nat(1e9) }));
    fc.assert(
      fc.property(looks, steps => {
        const rate = new RecentRate(0);
        let now = 0;
        for (const { ms, bytes } of steps) {
          now += ms;
          rate.count(bytes);
          rate.look(now);
          expect(rate.expected(now)).toBeGreaterThanOrEqual((bytes / Math.min(ms, 600)) * 1000);
          expect(rate.expected(now)).toBeLessThanOrEqual(rate.highest * 1.25);
        }
      }),
    );
  });
});
