import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DelayLine } from '../src/delay-line.ts';

const frame = (number: number) => Uint8Array.of(number);
const plain = { delayMs: 10, jitterMs: 0, lossPercent: 0 };

test('a frame comes out after its delay, not before', () => {
  const line = new DelayLine(plain, 10);
  expect(line.offer(frame(1), 100)).toBe(true);
  expect(line.offer(frame(2), 103)).toBe(true);
  expect(line.nextDue).toBe(110);
  expect(line.take(109.9)).toBeUndefined();
  expect(line.take(110)).toEqual(frame(1));
  expect(line.take(110)).toBeUndefined();
  expect(line.take(113)).toEqual(frame(2));
  expect(line.nextDue).toBeUndefined();
  expect(line.length).toBe(0);
});

test('a shorter delay does not let later frames overtake', () => {
  const line = new DelayLine(plain, 10);
  line.offer(frame(1), 0);
  line.setting = { ...plain, delayMs: 0 };
  line.offer(frame(2), 1);
  expect(line.take(9)).toBeUndefined();
  expect(line.take(10)).toEqual(frame(1));
  expect(line.take(10)).toEqual(frame(2));
});

test('jitter stays within its bounds and keeps the order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
      randoms => {
        let next = 0;
        const line = new DelayLine(
          { ...plain, jitterMs: 4 },
          1000,
          () => randoms[next++ % randoms.length] ?? 0,
        );
        for (let n = 0; n < randoms.length; n++) line.offer(frame(n % 256), n);
        let last = 0;
        for (let n = 0; n < randoms.length; n++) {
          const due = line.nextDue ?? Number.NaN;
          expect(due).toBeGreaterThanOrEqual(Math.max(last, n + 6));
          expect(due).toBeLessThanOrEqual(n + 14);
          expect(line.take(due)).toEqual(frame(n % 256));
          last = due;
        }
      },
    ),
    { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
  );
});

test('frames are lost as the dice say, and when too many are under way', () => {
  const dice = [0.049, 0.05, 0.9];
  const line = new DelayLine({ ...plain, lossPercent: 5 }, 2, () => dice.shift() ?? 0.9);
  expect(line.offer(frame(1), 0)).toBe(false);
  expect(line.offer(frame(2), 0)).toBe(true);
  expect(line.offer(frame(3), 0)).toBe(true);
  expect(line.offer(frame(4), 0)).toBe(false);
  expect(line.take(10)).toEqual(frame(2));
  expect(line.offer(frame(5), 10)).toBe(true);
});

test('many frames pass without the line growing', () => {
  const line = new DelayLine({ ...plain, delayMs: 1 }, 100_000);
  for (let n = 0; n < 50_000; n++) {
    line.offer(frame(n % 256), n);
    if (n > 0) expect(line.take(n)?.[0]).toBe((n - 1) % 256);
  }
  expect(line.length).toBe(1);
});
