import { type Carried, SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { TrafficRecorder } from '../src/control/traffic-history.ts';

function recorder(steps = 5) {
  const clock = new SimulatedClock();
  const carried = new Map<string, Carried>();
  const recorder = new TrafficRecorder(clock, { historyStepMs: 1000, historySteps: steps }, () => carried);
  const of = (name: string) => recorder.history().paths.find(path => path.name === name);
  return { clock, carried, recorder, of };
}

describe('the history of what paths carry', () => {
  it('has a figure a second of each path, oldest first', () => {
    const { clock, carried, recorder: recording, of } = recorder();
    let busy = true;
    recording.watch(() => busy);
    for (const bytes of [1000, 3000, 3000]) {
      carried.set('a', { bytesIn: bytes, bytesOut: bytes / 10 });
      clock.advance(1000);
    }
    expect(of('a')).toEqual({ name: 'a', down: [0, 0, 1000, 2000, 0], up: [0, 0, 100, 200, 0] });
    busy = false;
    clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('runs no timer when nothing is open, and counts that time as nothing moved', () => {
    const { clock, carried, recorder: recording, of } = recorder();
    recording.watch(() => false);
    carried.set('a', { bytesIn: 5000, bytesOut: 0 });
    clock.advance(1000);
    expect(clock.pending).toBe(0);
    clock.advance(3000);
    expect(of('a')?.down).toEqual([0, 5000, 0, 0, 0]);
    clock.advance(60_000);
    expect(of('a')?.down).toEqual([0, 0, 0, 0, 0]);
  });

  it('says what came between two looks that lie apart at its mean rate', () => {
    const { clock, carried, recorder: recording, of } = recorder();
    recording.history();
    carried.set('a', { bytesIn: 4000, bytesOut: 0 });
    clock.advance(2000);
    expect(of('a')?.down).toEqual([0, 0, 0, 2000, 2000]);
  });
});
