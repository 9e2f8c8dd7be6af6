import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeChunkSize,
  HttpBodyError,
  type HttpBodyLength,
  HttpBodyReader,
  HttpHeadError,
} from '../src/index.ts';
import { everySplit, inPieces, latin1, searchBriefly } from './support/pieces.ts';

/** What a body comes to when its bytes come in pieces, and then the end of the connection. */
function outcomeOf(length: HttpBodyLength, tolerant: boolean, pieces: readonly Uint8Array[]): object {
  const reader = new HttpBodyReader(length, { tolerant });
  const content: Uint8Array[] = [];
  let rest: Uint8Array[] = [];
  try {
    for (const [index, piece] of pieces.entries()) {
      content.push(...reader.push(piece).map(part => part.slice()));
      if (!reader.ended) continue;
      rest = [reader.rest, ...pieces.slice(index + 1)];
      break;
    }
  } catch (error) {
    if (!(error instanceof HttpBodyError || error instanceof HttpHeadError)) throw error;
    return { error: error.code };
  }
  const whole = reader.finish();
  const text = (parts: readonly Uint8Array[]) => Buffer.concat(parts).toString('latin1');
  return { content: text(content), rest: text(rest), trailers: reader.trailers, whole, tidy: reader.tidy };
}

const tolerant = (text: string) => outcomeOf('chunked', true, [latin1(text)]);
const strict = (text: string) => outcomeOf('chunked', false, [latin1(text)]);

describe('a body', () => {
  it('of known length ends there, wherever its bytes are split', () => {
    for (const pieces of everySplit(latin1('abcdeGET')))
      expect(outcomeOf(5, false, pieces)).toMatchObject({ content: 'abcde', rest: 'GET', whole: true });
  });

  it('of known length that is cut off is not whole', () => {
    expect(outcomeOf(5, true, [latin1('abcd')])).toMatchObject({ content: 'abcd', whole: false });
  });

  it('of length 0 is over before it begins', () => {
    expect(new HttpBodyReader(0).ended).toBe(true);
  });

  it('without a length ends with the connection', () => {
    expect(outcomeOf('until-close', true, [latin1('abc')])).toMatchObject({ content: 'abc', whole: true });
  });

  it('in chunks is read without them, with its trailers, wherever its bytes are split', () => {
    const text = '3;a="b\tc"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\nGET';
    for (const pieces of everySplit(latin1(text))) {
      expect(outcomeOf('chunked', false, pieces)).toEqual({
        content: 'abc0123456789',
        rest: 'GET',
        trailers: [
          ['X', 'y'],
          ['Z', ''],
        ],
        whole: true,
        tidy: true,
      });
    }
  });

  it.each([
    ['lines that end in LF', '3\nabc\n0\n\n'],
    ['a blank behind the size', '3 \r\nabc\r\n0\r\n\r\n'],
    ['blanks around the size, and an extension', ' 3\t ; x\r\nabc\r\n0 \r\n\r\n'],
    ['many zeros before the size', '0000000000000000000003\r\nabc\r\n0\r\n\r\n'],
    ['odd bytes in an extension', '3;\x01\r\nabc\r\n0\r\n\r\n'],
    ['a trailer that is no field', '3\r\nabc\r\n0\r\nnothing\r\n\r\n'],
    ['nothing behind the last chunk', '3\r\nabc\r\n0\r\n'],
    ['half an end behind the last chunk', '3\r\nabc\r\n0\r\n\r'],
  ])('in chunks is read from an origin with %s, wherever its bytes are split', (_what, text) => {
    for (const pieces of everySplit(latin1(text)))
      expect(outcomeOf('chunked', true, pieces)).toMatchObject({ content: 'abc', whole: true, tidy: false });
    expect(strict(text)).not.toMatchObject({ whole: true });
  });

  it.each([
    '3\r\nab',
    '3\r\nabc',
    '3\r\nabc\r\n',
    '3\r\nabc\r\n0',
    '3\r\nabc\r\n0\r\nX: y',
    '3\r\nabc\r\n0\r\nX: y\r\n',
  ])('in chunks that ends with %j is not whole', text => {
    expect(tolerant(text)).toMatchObject({ whole: false });
  });

  it.each([
    ['a sign', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a minus', '-3\r\nabc\r\n0\r\n\r\n'],
    ['0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['no size', '\r\nabc\r\n0\r\n\r\n'],
    ['no digits', 'xyz\r\nabc\r\n0\r\n\r\n'],
    ['two sizes', '3 3\r\nabc\r\n0\r\n\r\n'],
    ['a size beyond any', 'fffffffffffffffff\r\nabc'],
    ['a chunk that is longer than it says', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a chunk that is shorter than it says', '5\r\nabc\r\n0\r\n\r\n'],
    ['a size line that never ends', `3;${'a'.repeat(20_000)}`],
    ['trailers that never end', `0\r\n${'X: y\r\n'.repeat(20_000)}`],
  ])('in chunks is refused with %s, from anybody', (_what, text) => {
    expect(tolerant(text)).toEqual({ error: 'MANYPATH_HTTP_BODY_INVALID' });
    expect(strict(text)).toEqual({ error: 'MANYPATH_HTTP_BODY_INVALID' });
  });

  it.each([
    ['a chunk that is one byte shorter than it says', '4\r\nabc\r\n0\r\n\r\n'],
    ['a bare CR in an extension', '3;a\rb\r\nabc\r\n0\r\n\r\n'],
    ['a blank before the size', ' 3\r\nabc\r\n0\r\n\r\n'],
    ['LF behind a chunk', '3\r\nabc\n0\r\n\r\n'],
    ['LF at the end', '3\r\nabc\r\n0\r\n\n'],
    ['a trailer with a blank before its colon', '0\r\nX : y\r\n\r\n'],
  ])('in chunks is refused with %s, from a client', (_what, text) => {
    expect(strict(text)).toHaveProperty('error');
  });

  it('in chunks comes out as it went in, in any pieces', () => {
    const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
    const framed = parts.map(chunks =>
      Buffer.concat([
        ...chunks.flatMap(chunk => [Buffer.from(encodeChunkSize(chunk.length)), chunk, Buffer.from('\r\n')]),
        Buffer.from('0\r\n\r\nrest'),
      ]),
    );
    const cases = fc.tuple(parts, framed).chain(([, bytes]) => fc.tuple(fc.constant(bytes), inPieces(bytes)));
    fc.assert(
      fc.property(cases, ([bytes, pieces]) => {
        const whole = outcomeOf('chunked', false, [bytes]);
        expect(whole).toMatchObject({ rest: 'rest', whole: true, tidy: true });
        expect(outcomeOf('chunked', false, pieces)).toEqual(whole);
      }),
      searchBriefly,
    );
  });

  it('comes to the same whatever the pieces, for any bytes', () => {
    const near = fc
      .string({ unit: fc.constantFrom(...'0123af;: \r\n\r\nxX\t\x01'), maxLength: 60 })
      .map(latin1);
    const cases = near.chain(bytes => fc.tuple(fc.constant(bytes), inPieces(bytes), fc.boolean()));
    fc.assert(
      fc.property(cases, ([bytes, pieces, lenient]) => {
        const [whole, split] = [[bytes], pieces].map(some => outcomeOf('chunked', lenient, some));
        expect(split).toEqual(whole);
      }),
      searchBriefly,
    );
  });
});
