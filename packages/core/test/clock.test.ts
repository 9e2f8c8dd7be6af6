import { describe, expect, it } from 'vitest';
import { SimulatedClock, systemClock } from '../src/index.ts';

describe('the simulated clock', () => {
  it('calls what falls due, in order of time and then of asking, and shows the time of each', () => {
    const clock = new SimulatedClock();
    const calls: [string, number][] = [];
    const note = (name: string) => () => calls.push([name, clock.now()]);
    clock.after(20, note('late'));
    clock.after(10, note('first'));
    clock.after(10, note('second'));
    clock.after(21, note('not yet'));
    clock.advance(20);
    expect(calls).toEqual([
      ['first', 10],
      ['second', 10],
      ['late', 20],
    ]);
    expect([clock.now(), clock.pending]).toEqual([20, 1]);
  });

  it('calls nothing before it is moved, and what is withdrawn never', () => {
    const clock = new SimulatedClock();
    let calls = 0;
    clock.after(0, () => (calls += 1));
    const withdrawn = clock.after(5, () => (calls += 10));
    expect(calls).toBe(0);
    withdrawn.cancel();
    clock.advance(10);
    expect(calls).toBe(1);
    withdrawn.cancel();
    expect(clock.pending).toBe(0);
  });

  it('calls what a call adds, when it falls due in the same move', () => {
    const clock = new SimulatedClock();
    const times: number[] = [];
    const tick = () => {
      times.push(clock.now());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    expect(times).toEqual([10, 20, 30]);
  });
});

describe('the system clock', () => {
  it('moves on, and calls later', async () => {
    const started = systemClock.now();
    let synchronous = true;
    const wasSynchronous = await new Promise<boolean>(resolve => {
      // A timer that keeps the process alive while the clock's own does not.
      const alive = setTimeout(() => {}, 10_000);
      systemClock.after(5, () => {
        clearTimeout(alive);
        resolve(synchronous);
      });
      synchronous = false;
    });
    expect(wasSynchronous).toBe(false);
    expect(systemClock.now()).toBeGreaterThan(started);
  });
});
