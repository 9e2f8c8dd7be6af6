import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { BackOff } from '../src/lanes/back-off.ts';
import { chooseLane, type LaneLoad, needsAnotherLane } from '../src/lanes/choose-lane.ts';
import { KnownTargets } from '../src/lanes/known-targets.ts';
import { RateMeter } from '../src/lanes/rate-meter.ts';

const bulk = 1000;

function lane(about: Partial<LaneLoad> & { name?: string }): LaneLoad & { name?: string } {
  return { state: 'ready', streams: 0, capacity: 100, rate: 0, ...about };
}

describe('the choice of a lane', () => {
  const choose = (...lanes: ReturnType<typeof lane>[]) => chooseLane(lanes, bulk)?.name;

  it('takes the one with fewest tunnels', () => {
    expect(choose(lane({ name: 'a', streams: 2 }), lane({ name: 'b', streams: 1 }))).toBe('b');
  });

  it('takes one without a bulk transfer, however many tunnels it has', () => {
    expect(choose(lane({ name: 'a', streams: 1, rate: bulk }), lane({ name: 'b', streams: 50 }))).toBe('b');
  });

  it('prefers one that answers to one that does not', () => {
    expect(choose(lane({ name: 'a', state: 'suspect' }), lane({ name: 'b', rate: bulk, streams: 9 }))).toBe(
      'b',
    );
    expect(choose(lane({ name: 'a', state: 'suspect' }))).toBe('a');
  });

  it('never takes one that is full, leaving or closed', () => {
    const full = lane({ name: 'a', streams: 100 });
    expect(choose(full, lane({ name: 'b', state: 'draining' }), lane({ name: 'c', state: 'closed' }))).toBe(
      undefined,
    );
  });

  it('asks for another lane when all are busy, full or silent', () => {
    const busy = [lane({ rate: bulk }), lane({ streams: 100 }), lane({ state: 'suspect' })];
    expect(needsAnotherLane(busy, bulk)).toBe(true);
    expect(needsAnotherLane([...busy, lane({})], bulk)).toBe(false);
    expect(needsAnotherLane([], bulk)).toBe(true);
  });
});

describe('the pauses between attempts', () => {
  it('double up to the longest one', () => {
    const backOff = new BackOff(100, 1000, () => 1);
    expect(Array.from({ length: 6 }, () => backOff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    backOff.reset();
    expect(backOff.next()).toBe(100);
  });

  it('are spread over the upper half of their span', () => {
    const shortest = new BackOff(100, 1000, () => 0);
    expect([shortest.next(), shortest.next(), shortest.next()]).toEqual([50, 100, 200]);
  });
});

describe('the rate of a lane', () => {
  it('comes up with a steady stream and goes down when it ends', () => {
    const meter = new RateMeter();
    for (let at = 0; at <= 3000; at += 100) meter.sample(at * 10, at);
    expect(meter.rate).toBeGreaterThan(9_500);
    expect(meter.rate).toBeLessThan(10_500);
    meter.sample(30_000, 6000);
    expect(meter.rate).toBeLessThan(200);
  });

  it('is the same however often it is asked for', () => {
    const seldom = new RateMeter();
    const often = new RateMeter();
    for (let at = 0; at <= 2000; at += 500) seldom.sample(at * 5, at);
    for (let at = 0; at <= 2000; at += 1) often.sample(at * 5, at);
    expect(Math.abs(seldom.rate - often.rate)).toBeLessThan(100);
  });
});

describe('known targets', () => {
  const target = (port: number) => ({ host: 'a.example', port });

  it('are forgotten after a while, and when they failed', () => {
    const clock = new SimulatedClock();
    const known = new KnownTargets(10, 1000, clock);
    known.add(target(1));
    known.add(target(2));
    known.delete(target(2));
    clock.advance(999);
    expect([known.has(target(1)), known.has(target(2))]).toEqual([true, false]);
    clock.advance(1);
    expect(known.has(target(1))).toBe(false);
  });

  it('are forgotten oldest first when there are too many', () => {
    const known = new KnownTargets(2, 1000, new SimulatedClock());
    known.add(target(1));
    known.add(target(2));
    known.add(target(1));
    known.add(target(3));
    expect([1, 2, 3].map(port => known.has(target(port)))).toEqual([true, false, true]);
  });
});
