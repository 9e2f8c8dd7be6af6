import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { gatewayLimits } from '../src/limits.ts';
import { OriginInterest, OriginMemory } from '../src/origins/origin-memory.ts';

const origin = { host: 'example.org', port: 443 };
const hour = 3_600_000;

function memory(limits: Partial<typeof gatewayLimits> = {}) {
  const clock = new SimulatedClock();
  const origins = new OriginMemory({ clock, limits: { ...gatewayLimits, ...limits } });
  return { origins, advance: (milliseconds: number) => clock.advance(milliseconds) };
}

describe('what is known of origins', () => {
  it('holds for a day when they speak Multipath TCP, for an hour when not', () => {
    const { origins, advance } = memory();
    const plain = { host: 'plain.example', port: 443 };
    origins.learn(origin, true);
    origins.learn(plain, false);
    expect(origins.speaksMultipath({ host: 'EXAMPLE.org.', port: 443 })).toBe(true);
    expect(origins.speaksMultipath({ ...origin, port: 80 })).toBeUndefined();
    expect(origins.speaksMultipath(plain)).toBe(false);
    advance(hour);
    expect(origins.speaksMultipath(plain)).toBeUndefined();
    advance(22 * hour);
    expect(origins.speaksMultipath(origin)).toBe(true);
    advance(hour);
    expect(origins.speaksMultipath(origin)).toBeUndefined();
  });

  it('is given up when it turns out otherwise, and open again', () => {
    const { origins } = memory();
    origins.learn(origin, true);
    origins.learn(origin, false);
    expect(origins.speaksMultipath(origin)).toBeUndefined();
  });

  it('is bounded, and the oldest goes first', () => {
    const { origins } = memory({ originsKept: 3 } as object);
    for (let port = 1; port <= 5; port++) origins.learn({ host: 'a.example', port }, true);
    const known = [1, 2, 3, 4, 5].map(port => origins.speaksMultipath({ host: 'a.example', port }));
    expect(known).toEqual([undefined, undefined, true, true, true]);
  });
});

describe('the interest in an origin', () => {
  it('is there after some connections or many bytes, and then not again for a day', () => {
    const clock = new SimulatedClock();
    const interest = new OriginInterest(clock, gatewayLimits);
    const few = [1, 2, 3, 4, 5, 6].map(() => interest.carried(origin, 10));
    expect(few).toEqual([false, false, false, false, true, false]);
    expect(interest.carried({ ...origin, port: 80 }, 2_000_000)).toBe(true);
    clock.advance(24 * hour);
    expect(interest.carried(origin, 10)).toBe(true);
  });
});
