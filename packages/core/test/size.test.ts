import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSize, SizeInvalidError } from '../src/index.ts';
import { errorOf, searchBriefly } from './support/pieces.ts';

describe('a size', () => {
  const sizes: [text: string, bytes: number][] = [
    ['500 MB', 500_000_000],
    ['500MB', 500_000_000],
    ['10 GB', 10_000_000_000],
    ['1.5GiB', 1_610_612_736],
    ['0.001 kB', 1],
    ['800 kB', 800_000],
    ['800 KB', 800_000],
    ['1 KiB', 1024],
    ['3 MiB', 3_145_728],
    ['2 TB', 2_000_000_000_000],
    ['1 TiB', 1_099_511_627_776],
    ['7 B', 7],
    ['0.1 GB', 100_000_000],
  ];
  for (const [text, bytes] of sizes) {
    it(`is ${bytes} bytes as ${text}`, () => {
      expect(parseSize(text)).toBe(bytes);
    });
  }

  const wrong: [text: string, reason: string][] = [
    ['', 'a number and a unit'],
    ['500', 'a number and a unit'],
    ['MB', 'a number and a unit'],
    ['-5 MB', 'a number and a unit'],
    ['5  MB', 'a number and a unit'],
    [' 5 MB', 'a number and a unit'],
    ['5 MB ', 'a number and a unit'],
    ['5 MB\n', 'a number and a unit'],
    ['5,5 MB', 'a number and a unit'],
    ['.5 MB', 'a number and a unit'],
    ['5. MB', 'a number and a unit'],
    ['1e3 MB', 'a number and a unit'],
    ['0x10 MB', 'a number and a unit'],
    ['500 Mb', 'the unit must be one of'],
    ['500 mb', 'the unit must be one of'],
    ['500 Mbit', 'the unit must be one of'],
    ['500 constructor', 'the unit must be one of'],
    ['0 GB', 'at least one byte'],
    ['0.0001 kB', 'at least one byte'],
    ['999999999999999 TB', 'too large'],
  ];
  for (const [text, reason] of wrong) {
    it(`is refused as ${JSON.stringify(text)}`, () => {
      const error = errorOf(() => parseSize(text)) as SizeInvalidError;
      expect(error).toMatchObject({ code: 'MANYPATH_SIZE_INVALID' });
      expect(error.message).toContain(reason);
      expect(error.hint).toContain('500 MB');
    });
  }

  it('is whole and positive or refused, whatever the text', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.double({ min: 0 }), fc.constantFrom('', ' '), fc.constantFrom('B', 'MB', 'TiB', 'x'))
        .map(parts => parts.join('')),
    );
    fc.assert(
      fc.property(text, size => {
        try {
          const bytes = parseSize(size);
          return Number.isSafeInteger(bytes) && bytes > 0;
        } catch (error) {
          return error instanceof SizeInvalidError;
        }
      }),
      searchBriefly,
    );
  });
});
