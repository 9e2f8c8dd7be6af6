import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EarlyBytes } from '../src/early-bytes.ts';
import { textOf } from './support/talker.ts';

const text = textOf(1, 1000);
const cuts = fc.array(fc.tuple(fc.nat(999), fc.integer({ min: 1, max: 300 })), {
  maxLength: 60,
  size: 'max',
});

describe('bytes that come before those that go before them', () => {
  it('are kept once each, however they overlap, and taken in their order', () => {
    fc.assert(
      fc.property(cuts, fc.nat(300), (pieces, from) => {
        const early = new EarlyBytes();
        const there = new Set<number>();
        for (const [offset, length] of pieces) {
          const memory = text.slice(offset, offset + length);
          early.add(offset, memory);
          memory.fill(0);
          for (let at = offset; at < Math.min(1000, offset + length); at++) there.add(at);
        }
        expect(early.cost).toBe(there.size + 256 * early.stretches);
        expect(early.end).toBe(there.size === 0 ? 0 : Math.max(...there) + 1);
        let at = from;
        for (let bytes = early.take(at); bytes !== undefined; bytes = early.take(at)) {
          expect(Buffer.from(bytes).equals(text.subarray(at, at + bytes.length))).toBe(true);
          at += bytes.length;
        }
        let end = from;
        while (there.has(end)) end += 1;
        expect(at).toBe(end);
      }),
    );
  });

  it('are joined when they come one after the other', () => {
    const early = new EarlyBytes();
    for (let at = 0; at < 1000; at++) early.add(10_000 + at, text.subarray(at, at + 1));
    expect(early.stretches).toBe(1);
    expect(Buffer.from(early.take(10_000) ?? []).equals(text)).toBe(true);
    expect([early.stretches, early.cost]).toEqual([0, 0]);
  });
});
