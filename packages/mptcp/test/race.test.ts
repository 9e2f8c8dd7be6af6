import { SimulatedClock } from '@manypath/core';
import { describe, expect, test } from 'vitest';
import { type Attempt, race } from '../src/race.ts';

/** A race on a simulated clock whose attempts succeed and fail by hand. */
function rehearse(addresses: string[], refuse: (address: string) => Error | undefined = () => undefined) {
  const clock = new SimulatedClock();
  const started: string[] = [];
  const abandoned: string[] = [];
  const answers = new Map<string, { resolve(value: string): void; reject(error: Error): void }>();
  const start = (address: string): Attempt<string> => {
    const refusal = refuse(address);
    started.push(address);
    if (refusal !== undefined) throw refusal;
    const result = new Promise<string>((resolve, reject) => answers.set(address, { resolve, reject }));
    return { result, abandon: () => abandoned.push(address) };
  };
  const running = race({ addresses, start, attemptDelay: 250, clock });
  const answer = (address: string): void => answers.get(address)?.resolve(`via ${address}`);
  const fail = (address: string): void => answers.get(address)?.reject(new Error(`${address} failed`));
  return { clock, started, abandoned, running, answer, fail };
}

/** Lets every promise that can settle do so. */
const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe('racing addresses', () => {
  test('starts the first before it returns, and each next one after the attempt delay', () => {
    const { clock, started } = rehearse(['a', 'b', 'c']);
    expect(started).toEqual(['a']);
    clock.advance(249);
    expect(started).toEqual(['a']);
    clock.advance(1);
    expect(started).toEqual(['a', 'b']);
    clock.advance(250);
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('starts the next at once when the latest failed, and counts the delay from there', async () => {
    const { clock, started, fail } = rehearse(['a', 'b', 'c']);
    clock.advance(100);
    fail('a');
    await settle();
    expect(started).toEqual(['a', 'b']);
    clock.advance(249);
    expect(started).toEqual(['a', 'b']);
    clock.advance(1);
    expect(started).toEqual(['a', 'b', 'c']);
  });

  test('does not hurry when an older attempt fails while a younger one runs', async () => {
    const { clock, started, fail } = rehearse(['a', 'b', 'c']);
    clock.advance(250);
    fail('a');
    await settle();
    expect(started).toEqual(['a', 'b']);
  });

  test('gives the first answer, abandons all others, and starts no more', async () => {
    const { clock, started, abandoned, running, answer } = rehearse(['a', 'b', 'c']);
    clock.advance(250);
    answer('b');
    expect(await running.winner).toBe('via b');
    expect(abandoned).toEqual(['a']);
    clock.advance(10_000);
    expect(started).toEqual(['a', 'b']);
    expect(clock.pending).toBe(0);
  });

  test('abandons the second of two answers of the same turn', async () => {
    const { clock, abandoned, running, answer } = rehearse(['a', 'b']);
    clock.advance(250);
    answer('a');
    answer('b');
    expect(await running.winner).toBe('via a');
    await settle();
    expect(new Set(abandoned)).toEqual(new Set(['b']));
  });

  test('has no winner when all failed, and tells why in the order of the addresses', async () => {
    const { clock, running, fail } = rehearse(['a', 'b']);
    clock.advance(250);
    fail('b');
    await settle();
    fail('a');
    expect(await running.winner).toBeUndefined();
    expect(running.failures().map(({ address, error }) => [address, error.message])).toEqual([
      ['a', 'a failed'],
      ['b', 'b failed'],
    ]);
  });

  test('takes an attempt that cannot even start for a failed one', async () => {
    const { started, running, answer } = rehearse(['a', 'b'], address =>
      address === 'a' ? new Error('not allowed') : undefined,
    );
    expect(started).toEqual(['a', 'b']);
    answer('b');
    expect(await running.winner).toBe('via b');
  });

  test('stopped in the middle abandons what runs, and what answers afterwards', async () => {
    const { clock, abandoned, running, answer } = rehearse(['a', 'b']);
    clock.advance(250);
    running.stop();
    expect(abandoned).toEqual(['a', 'b']);
    answer('a');
    await settle();
    expect(abandoned.length).toBe(3);
    expect(clock.pending).toBe(0);
  });

  test('stopped after it was won abandons the winner too, for nobody took it', async () => {
    const { abandoned, running, answer } = rehearse(['a']);
    answer('a');
    await settle();
    expect(abandoned).toEqual([]);
    running.stop();
    expect(abandoned).toEqual(['a']);
  });
});
