import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { gatewayLimits } from '../src/limits.ts';
import {
  OriginInterest,
  OriginMemory,
  type OriginRecords,
  parseOriginRecords,
} from '../src/origins/origin-memory.ts';

const origin = { host: 'example.org', port: 443 };
const hour = 3_600_000;

function memory(limits: Partial<typeof gatewayLimits> = {}, records: OriginRecords = {}) {
  let now = 1_000;
  let kept = records;
  let writes = 0;
  const store = {
    get: () => kept,
    update(change: (records: OriginRecords) => OriginRecords) {
      kept = change(kept);
      writes++;
    },
  };
  const open = () =>
    new OriginMemory({ store, timeOfDay: () => now, limits: { ...gatewayLimits, ...limits } });
  return {
    origins: open(),
    open,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    kept: () => kept,
    writes: () => writes,
  };
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
    const { origins, kept } = memory();
    origins.learn(origin, true);
    origins.learn(origin, false);
    expect(origins.speaksMultipath(origin)).toBeUndefined();
    expect(kept()).toEqual({});
  });

  it('outlives the process', () => {
    const { origins, open } = memory();
    origins.learn(origin, true);
    expect(open().speaksMultipath(origin)).toBe(true);
  });

  it('is not written each time it is confirmed', () => {
    const { origins, writes, advance } = memory();
    for (let at = 0; at < 10; at++) {
      origins.learn(origin, true);
      advance(1000);
    }
    expect(writes()).toBe(1);
    advance(3 * hour);
    origins.learn(origin, true);
    expect(writes()).toBe(2);
  });

  it('is bounded, and the oldest goes first', () => {
    const { origins, kept } = memory({ originsKept: 3 } as object);
    for (let port = 1; port <= 5; port++) origins.learn({ host: 'a.example', port }, true);
    expect(Object.keys(kept())).toEqual(['a.example:3', 'a.example:4', 'a.example:5']);
    expect(origins.speaksMultipath({ host: 'a.example', port: 1 })).toBeUndefined();
  });

  it('is read from what is left of a damaged file', () => {
    const good = { multipath: true, until: 5 };
    expect(parseOriginRecords({ 'a:1': good, 'b:1': 1, 'c:1': { multipath: 'yes', until: 1 } })).toEqual({
      'a:1': good,
    });
    expect(parseOriginRecords(null)).toEqual({});
    expect(parseOriginRecords('x')).toEqual({});
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
