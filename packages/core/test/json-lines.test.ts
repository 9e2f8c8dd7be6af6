import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeJsonLine, JsonLineDecoder, JsonLineError } from '../src/index.ts';
import { everySplit, hex, inPieces, searchBriefly } from './support/pieces.ts';

const text = (value: string) => new Uint8Array(Buffer.from(value));

describe('JSON lines', () => {
  it('are values, wherever the bytes are split', () => {
    const bytes = text('{"id":1,"method":"status"}\n\n[]\r\n \n"ü"\nnull\n{"rest":');
    for (const pieces of everySplit(bytes)) {
      const decoder = new JsonLineDecoder();
      expect(pieces.flatMap(piece => decoder.push(piece))).toEqual([
        { id: 1, method: 'status' },
        [],
        'ü',
        null,
      ]);
      expect(decoder.push(text('1}\n'))).toEqual([{ rest: 1 }]);
    }
  });

  it('are read as they are written, in any pieces', () => {
    const values = fc.array(fc.jsonValue(), { maxLength: 5 });
    fc.assert(
      fc.property(
        values.chain(list => {
          const bytes = new Uint8Array(Buffer.concat(list.map(encodeJsonLine)));
          return fc.tuple(fc.constant(list), inPieces(bytes));
        }),
        ([list, pieces]) => {
          const decoder = new JsonLineDecoder();
          // JSON has one zero.
          const written = JSON.parse(JSON.stringify(list));
          expect(pieces.flatMap(piece => decoder.push(piece))).toEqual(written);
        },
      ),
      searchBriefly,
    );
  });

  it('have one line each, whatever is in the value', () => {
    expect(encodeJsonLine({ text: 'a\nb\u2028' })).toEqual(text('{"text":"a\\nb\u2028"}\n'));
    expect(encodeJsonLine(undefined)).toEqual(text('null\n'));
  });

  it('are refused when one is no JSON or no UTF-8', () => {
    for (const line of [
      text('{\n'),
      text('undefined\n'),
      text('{} {}\n'),
      hex('22ff220a'),
      hex('22c3220a'),
    ]) {
      const decoder = new JsonLineDecoder();
      expect(() => decoder.push(line)).toThrow(JsonLineError);
    }
  });

  it('are refused when one is too long, also before it ends, and not when many short ones come together', () => {
    expect(new JsonLineDecoder(4).push(text('1234\n'))).toEqual([1234]);
    expect(() => new JsonLineDecoder(4).push(text('12345\n'))).toThrow('longer than 4 bytes');
    for (const pieces of everySplit(text('12345'))) {
      const decoder = new JsonLineDecoder(4);
      expect(() => pieces.map(piece => decoder.push(piece))).toThrow('longer than 4 bytes');
    }
    expect(new JsonLineDecoder(4).push(text('1234\n'.repeat(1000)))).toHaveLength(1000);
  });

  it('do not keep the memory of the caller', () => {
    const decoder = new JsonLineDecoder();
    const buffer = text('"abc');
    decoder.push(buffer);
    buffer.fill(0);
    expect(decoder.push(text('"\n'))).toEqual(['abc']);
  });
});
