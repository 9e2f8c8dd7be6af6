import { SimulatedClock } from '@manypath/core';
import { beforeEach, describe, expect, it } from 'vitest';
import { pathsLimits } from '../src/limits.ts';
import { UserWindow } from '../src/rights/user-window.ts';

let clock: SimulatedClock;
let isOpen: boolean;
let window: UserWindow;
beforeEach(() => {
  clock = new SimulatedClock();
  isOpen = false;
  const leave = () => {
    isOpen = true;
    return () => {
      isOpen = false;
    };
  };
  window = new UserWindow(leave, clock);
});

const refused = expect.objectContaining({ code: 'MANYPATH_HELPER_REFUSED' });
const [one, other] = [{}, {}];

describe('the window for sockets that are left to user space', () => {
  it('shuts when all have closed it who opened it', () => {
    window.open(one);
    window.open(other);
    window.close(one);
    expect(isOpen).toBe(true);
    window.close(one);
    expect(isOpen).toBe(true);
    window.close(other);
    expect(isOpen).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('shuts by itself', () => {
    window.open(one);
    clock.advance(pathsLimits.windowMs);
    expect(isOpen).toBe(false);
    window.open(one);
    expect(isOpen).toBe(true);
  });

  it('is open for a small share of the time, however often it is asked for', () => {
    const seconds = 60;
    let openMs = 0;
    for (let at = 0; at < seconds * 1000; at += 1) {
      try {
        window.open(one);
      } catch (error) {
        expect(error).toEqual(refused);
      }
      if (isOpen) openMs += 1;
      clock.advance(1);
    }
    const most = pathsLimits.windowBurstMs + seconds * 1000 * pathsLimits.windowShare + pathsLimits.windowMs;
    expect(openMs).toBeLessThanOrEqual(most);
  });

  it('is there for forty connections a second that each take a moment', () => {
    for (let second = 0; second < 20; second += 1) {
      for (let connection = 0; connection < 40; connection += 1) {
        window.open(one);
        clock.advance(1);
        window.close(one);
        clock.advance(24);
      }
    }
  });

  it('says so when it cannot be opened', () => {
    const never = new UserWindow(() => undefined, clock);
    expect(() => never.open(one)).toThrow(refused);
    never.close(one);
  });
});
