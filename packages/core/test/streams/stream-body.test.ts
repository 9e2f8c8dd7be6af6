import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/bytes.ts';
import { decodeHex, encodeHex } from '../../src/hex.ts';
import { encodeBodyHead, StreamBodyReader } from '../../src/streams/stream-body.ts';

const fromHex = (hex: string): Uint8Array => decodeHex(hex.replaceAll(' ', '')) ?? new Uint8Array();
const hexOf = (frames: readonly Uint8Array[]): string[] => frames.map(frame => encodeHex(frame));

/** docs/STREAMS.md: "a" on stream 1, and that stream 1 is finished. */
const vector = '00000006 03 00000001 61 00000005 05 00000001';

describe('a body of frames', () => {
  it('is read wherever it is split', () => {
    const body = fromHex(vector);
    for (let split = 0; split <= body.length; split++) {
      const reader = new StreamBodyReader(100);
      const frames = [...reader.receive(body.slice(0, split)), ...reader.receive(body.slice(split))];
      expect(hexOf(frames)).toEqual(['030000000161', '0500000001']);
    }
  });

  it('gives each frame memory of its own', () => {
    const body = fromHex(vector);
    const frames = new StreamBodyReader(100).receive(body);
    body.fill(0);
    expect(hexOf(frames)).toEqual(['030000000161', '0500000001']);
    expect(frames.map(({ buffer, length }) => buffer.byteLength === length)).toEqual([true, true]);
  });

  it.each([
    ['nothing', '00000000'],
    ['more than may be', '00000065'],
  ])('is refused where a frame has %s', (_, hex) => {
    expect(() => new StreamBodyReader(100).receive(fromHex(hex))).toThrow(
      expect.objectContaining({ code: 'MANYPATH_STREAM_FRAME_INVALID' }),
    );
  });

  it('holds any frames, split anyhow', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }),
        (frames, splits) => {
          const body = concatBytes(frames.flatMap(frame => [encodeBodyHead(frame.length), frame]));
          const reader = new StreamBodyReader(300);
          const read: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < body.length; turn++) {
            const end = at + (splits[turn % splits.length] ?? 1);
            read.push(...reader.receive(body.slice(at, end)));
            at = end;
          }
          expect(hexOf(read)).toEqual(hexOf(frames));
        },
      ),
      { interruptAfterTimeLimit: 2000 },
    );
  });
});
