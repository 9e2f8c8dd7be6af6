import { describe, expect, it } from 'vitest';
import { BufferPool } from '../src/streams/buffer-pool.ts';

describe('a pool of buffers', () => {
  it('gives memory of the length asked for, and the same again after it was given back', () => {
    const pool = new BufferPool(65_536, 4);
    const first = pool.take(65_536);
    expect(first.length).toBe(65_536);
    pool.give(first.subarray(5));
    const second = pool.take(20_000);
    expect([second.length, second.buffer === first.buffer]).toEqual([20_000, true]);
    expect(pool.take(20_000).buffer).not.toBe(first.buffer);
  });

  it('gives short and long messages memory of their own, which does not come back', () => {
    const pool = new BufferPool(65_536, 4);
    for (const length of [0, 10, 70_000]) {
      const own = pool.take(length);
      expect(own.buffer.byteLength).toBe(length);
      pool.give(own);
    }
    expect(pool.take(65_536).buffer.byteLength).toBe(65_536);
  });

  it('keeps no more than it may', () => {
    const pool = new BufferPool(65_536, 1);
    const [one, two] = [pool.take(65_536), pool.take(65_536)];
    pool.give(one);
    pool.give(two);
    expect(pool.take(65_536).buffer).toBe(one.buffer);
    expect(pool.take(65_536).buffer).not.toBe(two.buffer);
  });
});
