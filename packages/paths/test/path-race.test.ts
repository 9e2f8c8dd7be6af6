import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { racePaths } from '../src/dial/path-race.ts';

/** A race in which every try is answered by hand. */
function race(candidates: string[], delayMs = 250) {
  const clock = new SimulatedClock();
  const abort = new AbortController();
  const started: string[] = [];
  const ended: string[] = [];
  const discarded: string[] = [];
  const answers = new Map<string, { resolve(value: string): void; reject(error: Error): void }>();
  const running = racePaths<string, string>({
    candidates,
    start: (candidate, signal) => {
      started.push(candidate);
      signal.addEventListener('abort', () => ended.push(candidate));
      if (candidate.startsWith('throws')) throw new Error(candidate);
      return new Promise((resolve, reject) => answers.set(candidate, { resolve, reject }));
    },
    discard: result => discarded.push(result),
    delay: () => delayMs,
    clock,
    signal: abort.signal,
  });
  const settle = () => new Promise(resolve => setImmediate(resolve));
  return {
    ...running,
    clock,
    abort,
    started,
    ended,
    discarded,
    settle,
    answer: (candidate: string) => answers.get(candidate)?.resolve(`by ${candidate}`),
    fail: (candidate: string) => answers.get(candidate)?.reject(new Error(candidate)),
  };
}

describe('a race over paths', () => {
  it('begins at once, and with the next when the last one has had its time', () => {
    const { started, clock } = race(['a', 'b', 'c']);
    expect(started).toEqual(['a']);
    clock.advance(249);
    expect(started).toEqual(['a']);
    clock.advance(1);
    expect(started).toEqual(['a', 'b']);
    clock.advance(250);
    expect(started).toEqual(['a', 'b', 'c']);
  });

  it('begins with the next at once when the last one failed', async () => {
    const { started, fail, settle, clock } = race(['a', 'throws b', 'c']);
    fail('a');
    await settle();
    expect(started).toEqual(['a', 'throws b', 'c']);
    clock.advance(10_000);
    expect(started).toHaveLength(3);
  });

  it('does not hurry when an earlier one fails while a later one still runs', async () => {
    const { started, fail, settle, clock } = race(['a', 'b', 'c']);
    clock.advance(250);
    fail('a');
    await settle();
    expect(started).toEqual(['a', 'b']);
  });

  it('ends with the first answer, gives the others up and gets rid of what they came up with', async () => {
    const { outcome, answer, clock, ended, discarded, settle, started } = race(['a', 'b', 'c']);
    clock.advance(250);
    clock.advance(30);
    answer('b');
    expect(await outcome).toMatchObject({
      won: { candidate: 'b', result: 'by b', tookMs: 30 },
      entries: [
        { candidate: 'a', startedAt: 0, error: undefined },
        { candidate: 'b', startedAt: 250 },
      ],
    });
    expect(ended).toContain('a');
    answer('a');
    await settle();
    expect(discarded).toEqual(['by a']);
    clock.advance(10_000);
    expect(started).toEqual(['a', 'b']);
  });

  it('has no winner when all failed', async () => {
    const { outcome, fail, settle } = race(['a', 'b']);
    fail('a');
    await settle();
    fail('b');
    const { won, entries } = await outcome;
    expect(won).toBeUndefined();
    expect(entries.map(({ error }) => String(error))).toEqual(['Error: a', 'Error: b']);
    expect((await race([]).outcome).won).toBeUndefined();
  });

  it('is given up with the reason of its signal', async () => {
    const { outcome, abort, ended, answer, discarded, settle } = race(['a', 'b']);
    abort.abort(new Error('enough'));
    await expect(outcome).rejects.toThrow('enough');
    expect(ended).toEqual(['a']);
    answer('a');
    await settle();
    expect(discarded).toEqual(['by a']);
  });
});
