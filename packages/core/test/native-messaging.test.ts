import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeNativeMessage,
  type NativeMessage,
  NativeMessageDecoder,
  NativeMessageTooLongError,
  nativeMessagingLimits,
} from '../src/index.ts';
import { errorOf, everySplit, hex, inPieces, searchBriefly } from './support/pieces.ts';

const codes = (messages: NativeMessage[]) =>
  messages.map(message => ('error' in message ? message.error.code : message.value));

// {"id":1} , [] , "ü"
const little = hex('08000000 7b226964223a317d', '02000000 5b5d', '04000000 22c3bc22');
const big = hex('00000008 7b226964223a317d', '00000002 5b5d', '00000004 22c3bc22');

describe('native messages', () => {
  it.each([
    ['little', little],
    ['big', big],
  ] as const)('are values, wherever the bytes are split, %s end first', (byteOrder, bytes) => {
    for (const pieces of everySplit(bytes)) {
      const decoder = new NativeMessageDecoder({ byteOrder });
      const values = pieces.flatMap(piece => decoder.push(piece));
      expect(values).toEqual([{ value: { id: 1 } }, { value: [] }, { value: 'ü' }]);
      expect(decoder.complete).toBe(true);
    }
  });

  it('are written with their length before them', () => {
    expect(encodeNativeMessage({ id: 1 })).toEqual(hex('08000000 7b226964223a317d'));
    expect(encodeNativeMessage('ü', { byteOrder: 'big' })).toEqual(hex('00000004 22c3bc22'));
    expect(encodeNativeMessage(undefined)).toEqual(hex('04000000 6e756c6c'));
  });

  it('are read as they are written, in any pieces and either byte order', () => {
    const lists = fc.array(fc.jsonValue(), { maxLength: 5 });
    fc.assert(
      fc.property(
        fc.tuple(lists, fc.constantFrom('little', 'big')).chain(([list, byteOrder]) => {
          const bytes = Buffer.concat(list.map(value => encodeNativeMessage(value, { byteOrder })));
          return fc.tuple(fc.constant(list), fc.constant(byteOrder), inPieces(new Uint8Array(bytes)));
        }),
        ([list, byteOrder, pieces]) => {
          const decoder = new NativeMessageDecoder({ byteOrder });
          // JSON has one zero.
          const written = (JSON.parse(JSON.stringify(list)) as unknown[]).map(value => ({ value }));
          expect(pieces.flatMap(piece => decoder.push(piece))).toEqual(written);
        },
      ),
      searchBriefly,
    );
  });

  it('that are wrong are told, and the next one is read, wherever the bytes are split', () => {
    // Half an object, no UTF-8, nothing at all, five bytes where four are the most, a byte order mark, then a good one.
    const bytes = hex(
      '01000000 7b',
      '03000000 22ff22',
      '00000000',
      '05000000 3132333435',
      '04000000 efbbbf31',
      '04000000 31323334',
    );
    for (const pieces of everySplit(bytes)) {
      const decoder = new NativeMessageDecoder({ longest: 4 });
      expect(codes(pieces.flatMap(piece => decoder.push(piece)))).toEqual([
        'MANYPATH_NATIVE_MESSAGE_INVALID',
        'MANYPATH_NATIVE_MESSAGE_INVALID',
        'MANYPATH_NATIVE_MESSAGE_INVALID',
        'MANYPATH_NATIVE_MESSAGE_TOO_LONG',
        'MANYPATH_NATIVE_MESSAGE_INVALID',
        1234,
      ]);
    }
  });

  it('never throw, whatever bytes come, and give the same in any pieces', () => {
    // Lengths that are mostly short: random ones would mostly be beyond the end.
    const frames = fc.array(
      fc
        .tuple(fc.nat(12), fc.uint8Array({ maxLength: 12 }))
        .map(([length, body]) => [length, 0, 0, 0, ...body]),
    );
    fc.assert(
      fc.property(
        fc
          .oneof(
            fc.uint8Array({ maxLength: 64 }),
            frames.map(list => Uint8Array.from(list.flat())),
          )
          .chain(bytes => fc.tuple(fc.constant(bytes), inPieces(bytes))),
        ([bytes, pieces]) => {
          const whole = new NativeMessageDecoder({ longest: 8 });
          const cut = new NativeMessageDecoder({ longest: 8 });
          const expected = codes(whole.push(bytes));
          expect(codes(pieces.flatMap(piece => cut.push(piece)))).toEqual(expected);
          expect(cut.complete).toBe(whole.complete);
        },
      ),
      searchBriefly,
    );
  });

  it('have a longest one, in both directions', () => {
    const most = nativeMessagingLimits.toBrowserBytes;
    expect(encodeNativeMessage('x'.repeat(most - 2))).toHaveLength(most + 4);
    const error = errorOf(() => encodeNativeMessage('x'.repeat(most - 1)));
    expect(error).toBeInstanceOf(NativeMessageTooLongError);
    expect(error).toMatchObject({ code: 'MANYPATH_NATIVE_MESSAGE_TOO_LONG' });
    const decoder = new NativeMessageDecoder();
    const longest = encodeNativeMessage('x'.repeat(nativeMessagingLimits.fromBrowserBytes - 2));
    expect(decoder.push(longest)).toHaveLength(1);
    expect(
      codes(decoder.push(encodeNativeMessage('x'.repeat(nativeMessagingLimits.fromBrowserBytes)))),
    ).toEqual(['MANYPATH_NATIVE_MESSAGE_TOO_LONG']);
  });

  it('do not end in their middle', () => {
    for (let end = 1; end < 12; end++) {
      const decoder = new NativeMessageDecoder();
      decoder.push(little.subarray(0, end));
      expect(decoder.complete).toBe(false);
    }
  });

  it('do not keep the memory of the caller', () => {
    const decoder = new NativeMessageDecoder();
    const start = hex('06000000 22616263');
    decoder.push(start);
    start.fill(0);
    expect(decoder.push(hex('6422'))).toEqual([{ value: 'abcd' }]);
  });
});
