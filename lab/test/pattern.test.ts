import { createHash } from 'node:crypto';
import { PatternCheck, patternBytes, patternSha256 } from '@manypath/lab';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const budget = { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false };

test('the content never changes', () => {
  expect(patternBytes(8, 8).toString('hex')).toBe('f5ec0d66bc06f7a9');
  expect(patternSha256(1_000_000)).toBe(
    createHash('sha256').update(patternBytes(0, 1_000_000)).digest('hex'),
  );
});

test('every part is the same as that part of the whole', () => {
  const whole = patternBytes(0, 300_000);
  fc.assert(
    fc.property(fc.nat(300_000), fc.nat(140_000), (offset, length) => {
      const end = Math.min(whole.length, offset + length);
      expect(patternBytes(offset, end - offset).equals(whole.subarray(offset, end))).toBe(true);
    }),
    budget,
  );
});

test('pages far beyond 32 bits differ from the first ones', () => {
  const far = 2 ** 32 * 65_536;
  expect(patternBytes(far, 16).equals(patternBytes(0, 16))).toBe(false);
});

test('a check takes the content in whatever parts it comes', () => {
  fc.assert(
    fc.property(fc.nat(200_000), fc.array(fc.nat(90_000), { maxLength: 6 }), (start, lengths) => {
      const check = new PatternCheck(start);
      let offset = start;
      for (const length of lengths) {
        check.push(patternBytes(offset, length));
        offset += length;
      }
      expect(check.offset).toBe(offset);
      expect(check.mismatchAt).toBeUndefined();
    }),
    budget,
  );
});

test('a check finds a wrong byte, a lost page and swapped pages, and says where', () => {
  const wrong = patternBytes(0, 200_000);
  wrong[123_456] = (wrong[123_456] ?? 0) ^ 1;
  const check = new PatternCheck();
  check.push(wrong.subarray(0, 100_001));
  check.push(wrong.subarray(100_001));
  expect(check.mismatchAt).toBe(123_456);

  const lost = new PatternCheck();
  lost.push(patternBytes(0, 65_536));
  lost.push(patternBytes(131_072, 65_536));
  expect(lost.mismatchAt).toBe(65_536);

  const swapped = new PatternCheck(65_536);
  swapped.push(patternBytes(131_072, 10));
  expect(swapped.mismatchAt).toBe(65_536);
});

test.each([-1, 0.5, Number.NaN, 2 ** 53])('offset and length %d are refused', value => {
  expect(() => patternBytes(value, 1)).toThrow(
    expect.objectContaining({ code: 'MANYPATH_LAB_OPTION_INVALID' }),
  );
  expect(() => patternBytes(0, value)).toThrow(
    expect.objectContaining({ code: 'MANYPATH_LAB_OPTION_INVALID' }),
  );
});
