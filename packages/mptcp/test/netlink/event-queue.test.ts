import { describe, expect, test } from 'vitest';
import { EventQueue } from '../../src/netlink/event-queue.ts';

const make = (most = 3, more: { onIdle?: (idle: boolean) => void; onEnd?: () => void } = {}) =>
  new EventQueue<string>({ overrun: 'overrun', most, ...more });

/** What can be read without waiting for more. */
async function read(queue: EventQueue<string>, count: number): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [];
  for (let i = 0; i < count; i++) found.push((await queue.next()).value);
  return found;
}

describe('a queue of events', () => {
  test('gives them in order, before and after a reader waits', async () => {
    const queue = make();
    queue.push('a');
    queue.push('b');
    expect(await read(queue, 2)).toEqual(['a', 'b']);
    const [first, second] = [queue.next(), queue.next()];
    queue.push('c');
    queue.push('d');
    expect([(await first).value, (await second).value]).toEqual(['c', 'd']);
  });

  test('puts one overrun in the place of what waits when it is full, and goes on', async () => {
    const queue = make(3);
    for (const event of ['a', 'b', 'c', 'd', 'e']) queue.push(event);
    expect(await read(queue, 2)).toEqual(['overrun', 'e']);
  });

  test('holds no more than it may, however much comes', async () => {
    const queue = make(10);
    for (let i = 0; i < 10_000; i++) queue.push(String(i));
    queue.fail(new Error('the end'));
    const left: string[] = [];
    await expect(
      (async () => {
        for await (const event of queue) left.push(event);
      })(),
    ).rejects.toThrow('the end');
    expect(left[0]).toBe('overrun');
    expect(left.length).toBeLessThanOrEqual(10);
    expect(left.at(-1)).toBe('9999');
  });

  test('tells of events that the kernel lost', async () => {
    const queue = make();
    queue.push('a');
    queue.lost();
    queue.lost();
    queue.push('b');
    expect(await read(queue, 2)).toEqual(['overrun', 'b']);
    const waiting = queue.next();
    queue.lost();
    expect((await waiting).value).toBe('overrun');
  });

  test('ends at once when it is closed, for all who wait', async () => {
    let ended = 0;
    const queue = make(3, { onEnd: () => ended++ });
    const waiting = [queue.next(), queue.next()];
    queue.close();
    queue.close();
    queue.push('late');
    for (const result of await Promise.all(waiting)) expect(result.done).toBe(true);
    expect((await queue.next()).done).toBe(true);
    expect(ended).toBe(1);
  });

  test('ends when the loop over it is left', async () => {
    let ended = 0;
    const queue = make(3, { onEnd: () => ended++ });
    queue.push('a');
    for await (const _ of queue) break;
    expect(ended).toBe(1);
  });

  test('gives what waits before it fails, and fails once', async () => {
    const queue = make();
    queue.push('a');
    queue.fail(new Error('broken'));
    expect((await queue.next()).value).toBe('a');
    await expect(queue.next()).rejects.toThrow('broken');
    expect((await queue.next()).done).toBe(true);
  });

  test('fails the reader who waits', async () => {
    const queue = make();
    const waiting = queue.next();
    const second = queue.next();
    queue.fail(new Error('broken'));
    await expect(waiting).rejects.toThrow('broken');
    expect((await second).done).toBe(true);
  });

  test('tells when somebody begins to wait and when nobody does any more', async () => {
    const told: boolean[] = [];
    const queue = make(3, { onIdle: idle => told.push(idle) });
    const waiting = [queue.next(), queue.next()];
    expect(told).toEqual([false]);
    queue.push('a');
    expect(told).toEqual([false]);
    queue.push('b');
    expect(told).toEqual([false, true]);
    await Promise.all(waiting);
  });
});
