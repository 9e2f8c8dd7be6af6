import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ByteReader,
  ByteWriter,
  concatBytes,
  decodeBase64Url,
  decodeHex,
  decodeLatin1,
  encodeBase64Url,
  encodeHex,
  encodeLatin1,
  equalBytes,
} from '../src/index.ts';
import { hex, searchBriefly } from './support/pieces.ts';

describe('equalBytes', () => {
  it('is true for the same bytes only', () => {
    expect(equalBytes(hex('00ff10'), hex('00ff10'))).toBe(true);
    expect(equalBytes(hex(''), hex(''))).toBe(true);
    for (const other of ['01ff10', '00fe10', '00ff11', '00ff', '00ff1000', '']) {
      expect(equalBytes(hex('00ff10'), hex(other))).toBe(false);
    }
  });
});

describe('concatBytes', () => {
  it('joins in order, into bytes of its own', () => {
    const first = hex('01 02');
    const joined = concatBytes([first, hex(''), hex('03')]);
    first[0] = 9;
    expect(joined).toEqual(hex('010203'));
  });
});

describe('one character a byte', () => {
  it('keeps every byte, of long texts too', () => {
    const all = Uint8Array.from({ length: 10_000 }, (_, position) => position & 0xff);
    expect(decodeLatin1(all)).toBe(Buffer.from(all).toString('latin1'));
    expect(encodeLatin1(decodeLatin1(all))).toEqual(all);
  });

  it('has none for characters beyond 255', () => {
    expect(encodeLatin1('naïve')).toEqual(hex('6e61ef7665'));
    for (const text of ['5 €', '\u0100']) expect(encodeLatin1(text)).toBe(undefined);
  });
});

describe('hexadecimal digits', () => {
  it('are those of Node, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(encodeHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(decodeHex(encodeHex(bytes).toUpperCase())).toEqual(bytes);
      }),
      searchBriefly,
    );
    expect(decodeHex('de ad\nBE ef')).toEqual(hex('deadbeef'));
  });

  it('are refused when one is missing or is none', () => {
    for (const text of ['0', 'abc', '0x', 'zz', '-1', '٠٠']) expect(decodeHex(text)).toBe(undefined);
  });
});

describe('base64url', () => {
  it('is that of Node, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        expect(encodeBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'));
        expect(decodeBase64Url(encodeBase64Url(bytes))).toEqual(bytes);
      }),
      searchBriefly,
    );
  });

  it('has one form for the same bytes: padding, the other alphabet, blanks and spare bits are refused', () => {
    expect(decodeBase64Url('-_8')).toEqual(hex('fbff'));
    for (const text of ['-_9', '-_8=', '+/8', '-_ 8', 'A', 'AAAAA', '\n', 'é']) {
      expect(decodeBase64Url(text), text).toBe(undefined);
    }
  });
});

describe('ByteReader', () => {
  it('reads integers in network order, and bytes', () => {
    const reader = new ByteReader(hex('01 0203 040506 0708090a 0b0c0d0e0f101112 1314 15').subarray(0));
    expect(reader.uint8()).toBe(1);
    expect(reader.uint16()).toBe(0x0203);
    expect(reader.uint24()).toBe(0x040506);
    expect(reader.uint32()).toBe(0x0708090a);
    expect(reader.uint64()).toBe(0x0b0c0d0e0f101112n);
    reader.skip(1);
    expect(reader.bytes(1)).toEqual(hex('14'));
    expect([reader.offset, reader.remaining]).toEqual([20, 1]);
    expect(reader.bytes()).toEqual(hex('15'));
    expect(reader.bytes()).toEqual(hex(''));
  });

  it('reads of a part of a larger buffer that part only', () => {
    const reader = new ByteReader(hex('ff 0102 ff').subarray(1, 3));
    expect(reader.uint16()).toBe(0x0102);
    expect(() => reader.uint8()).toThrow('1 bytes were announced, 0 are there');
  });

  it('throws at the end instead of reading beyond it, and stays where it is', () => {
    const reads: ((reader: ByteReader) => unknown)[] = [
      reader => reader.uint16(),
      reader => reader.uint32(),
      reader => reader.uint64(),
      reader => reader.bytes(2),
      reader => reader.bytes(-1),
      reader => reader.skip(2),
    ];
    for (const read of reads) {
      const reader = new ByteReader(hex('01'));
      expect(() => read(reader)).toThrow(
        expect.objectContaining({ code: 'MANYPATH_BYTES_CUT_SHORT' }) as Error,
      );
      expect(reader.uint8()).toBe(1);
    }
    expect(() => new ByteReader(hex('0102')).uint24()).toThrow('bytes were announced');
  });
});

describe('ByteWriter', () => {
  it('writes what ByteReader reads, whatever room it began with', () => {
    for (const capacity of [0, 1, 3, 64]) {
      const writer = new ByteWriter(capacity);
      writer
        .uint8(1)
        .uint16(0x0203)
        .uint24(0x040506)
        .uint32(0xfffefdfc)
        .uint64(2n ** 64n - 1n);
      writer.bytes(hex('aabb')).bytes(hex(''));
      expect(writer.length).toBe(20);
      expect(encodeHex(writer.finish())).toBe('010203040506fffefdfcffffffffffffffffaabb');
    }
  });

  it('gives a copy at the end, and begins anew when cleared', () => {
    const writer = new ByteWriter();
    const first = writer.uint8(1).finish();
    writer.clear();
    expect(writer.uint8(2).peek()).toEqual(hex('02'));
    expect(first).toEqual(hex('01'));
  });
});
