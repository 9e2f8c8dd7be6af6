import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, encodeText } from '../../src/bytes.ts';
import { decodeHex, encodeHex } from '../../src/hex.ts';
import {
  encodeCloseReason,
  encodeWebSocketHead,
  maskInPlace,
  type WebSocketEvent,
  type WebSocketLimits,
  WebSocketReader,
} from '../../src/websocket/websocket-frames.ts';

const fromHex = (hex: string): Uint8Array => decodeHex(hex.replaceAll(' ', '')) ?? new Uint8Array();
const utf8 = new TextDecoder();

/** Reads bytes that come in two pieces, split at each place in turn. */
function readAtEverySplit(side: 'server' | 'client', bytes: Uint8Array): WebSocketEvent[][] {
  return Array.from({ length: bytes.length + 1 }, (_, split) => {
    const reader = new WebSocketReader(side);
    // Copies: a reader unmasks in place.
    return [...reader.receive(bytes.slice(0, split)), ...reader.receive(bytes.slice(split))];
  });
}

/** RFC 6455 §5.7. */
const vectors: ['server' | 'client', string, string, WebSocketEvent[]][] = [
  ['client', 'a text', '81 05 48 65 6c 6c 6f', [{ event: 'text', text: 'Hello' }]],
  ['server', 'a masked text', '81 85 37 fa 21 3d 7f 9f 4d 51 58', [{ event: 'text', text: 'Hello' }]],
  ['client', 'a text in two frames', '01 03 48 65 6c 80 02 6c 6f', [{ event: 'text', text: 'Hello' }]],
  ['client', 'a ping', '89 05 48 65 6c 6c 6f', [{ event: 'ping', bytes: encodeText('Hello') }]],
  [
    'server',
    'a masked pong',
    '8a 85 37 fa 21 3d 7f 9f 4d 51 58',
    [{ event: 'pong', bytes: encodeText('Hello') }],
  ],
  [
    'client',
    'a ping between the frames of a text',
    '01 03 48 65 6c 89 00 80 02 6c 6f',
    [
      { event: 'ping', bytes: new Uint8Array() },
      { event: 'text', text: 'Hello' },
    ],
  ],
  ['client', 'a close without a code', '88 00', [{ event: 'close', code: 1005, reason: '' }]],
  [
    'client',
    'a close, and what follows it',
    '88 04 03 e8 6f 6b 81 01 61',
    [{ event: 'close', code: 1000, reason: 'ok' }],
  ],
];

describe('a WebSocket reader', () => {
  it.each(vectors)('that is a %s reads %s, wherever it is split', (side, _, hex, events) => {
    for (const read of readAtEverySplit(side, fromHex(hex))) expect(read).toEqual(events);
  });

  it('leaves a chunk to the caller where it has memory for payloads, wherever that is split', () => {
    const wire = fromHex('82 85 37 fa 21 3d 7f 9f 4d 51 58 89 81 01 01 01 01 60');
    for (let split = 0; split <= wire.length; split++) {
      const memory: Uint8Array[] = [];
      const reader = new WebSocketReader('server', {}, length => {
        const payload = new Uint8Array(100).subarray(7, 7 + length);
        memory.push(payload);
        return payload;
      });
      const chunk = new Uint8Array(wire.length);
      const events: WebSocketEvent[] = [];
      for (const part of [wire.slice(0, split), wire.slice(split)]) {
        chunk.set(part);
        events.push(...reader.receive(chunk.subarray(0, part.length)));
        chunk.fill(0);
      }
      expect(events).toEqual([
        { event: 'binary', bytes: encodeText('Hello') },
        { event: 'ping', bytes: encodeText('a') },
      ]);
      expect(events.map(event => 'bytes' in event && event.bytes)).toEqual(memory);
    }
  });

  it.each([
    ['server', 'a frame without a mask', '81 01 61', 1002],
    ['client', 'a frame with a mask', '81 81 00 00 00 00 61', 1002],
    ['client', 'a bit that nothing was agreed on for', 'c1 01 61', 1002],
    ['client', 'an unknown opcode', '83 00', 1002],
    ['client', 'a continuation of nothing', '80 01 61', 1002],
    ['client', 'a message within a message', '01 01 61 82 01 61', 1002],
    ['client', 'a control frame in pieces', '09 00', 1002],
    ['client', 'a control frame that is too long', '89 7e 00 7e', 1002],
    ['client', 'a short length in the long form', '82 7e 00 7d', 1002],
    ['client', 'a middle length in the longest form', '82 7f 00 00 00 00 00 00 ff ff', 1002],
    ['client', 'a length of no end', '82 7f 7f ff ff ff ff ff ff ff', 1009],
    ['client', 'half a close code', '88 01 03', 1002],
    ['client', 'a close code that is for this side only', '88 02 03 ed', 1002],
    ['client', 'a text that is not UTF-8', '81 02 c3 28', 1007],
  ] as const)('that is a %s refuses %s', (side, _, hex, closeCode) => {
    expect(() => new WebSocketReader(side).receive(fromHex(hex))).toThrow(
      expect.objectContaining({ code: 'MANYPATH_WEBSOCKET_PROTOCOL', closeCode }),
    );
  });

  it('takes no message that is longer than it may be, in one frame or in many', () => {
    const read = (limits: Partial<WebSocketLimits>, hex: string) =>
      new WebSocketReader('client', limits).receive(fromHex(hex));
    const tooLong = expect.objectContaining({ closeCode: 1009 });
    expect(() => read({ messageBytes: 4 }, '02 03 61 61 61 80 02 61 61')).toThrow(tooLong);
    expect(() => read({ messageBytes: 200 }, '82 7e 00 c9')).toThrow(tooLong);
    expect(() => read({ messageFrames: 2 }, '02 01 61 00 01 61 80 01 61')).toThrow(tooLong);
  });

  it('reads any messages that are written, however they are masked and split', () => {
    const message = fc.record({
      length: fc.oneof(fc.nat(300), fc.nat(70_000)),
      key: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 66_000 }), { minLength: 1, maxLength: 8 }),
        (messages, splits) => {
          const sent = messages.map(({ length }, seed) =>
            Uint8Array.from({ length }, (_, at) => (at * 7 + seed) & 0xff),
          );
          const wire = concatBytes(
            messages.flatMap(({ key }, index) => {
              const payload = (sent[index] ?? new Uint8Array()).slice();
              maskInPlace(payload, key);
              return [encodeWebSocketHead('binary', payload.length, key), payload];
            }),
          );
          const reader = new WebSocketReader('server');
          const read: Uint8Array[] = [];
          for (let at = 0, turn = 0; at < wire.length; turn++) {
            const end = at + (splits[turn % splits.length] ?? 1);
            for (const event of reader.receive(wire.slice(at, end))) {
              if (event.event === 'binary') read.push(event.bytes.slice());
            }
            at = end;
          }
          expect(read.map(bytes => encodeHex(bytes))).toEqual(sent.map(bytes => encodeHex(bytes)));
        },
      ),
      { interruptAfterTimeLimit: 4000 },
    );
  });

  it('reads any bytes or refuses them, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.constantFrom('server', 'client'), (bytes, side) => {
        try {
          new WebSocketReader(side).receive(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANYPATH_WEBSOCKET_PROTOCOL' });
        }
      }),
      { interruptAfterTimeLimit: 2000, numRuns: 2000 },
    );
  });
});

describe('masking', () => {
  it('is the same wherever in memory and in the payload the bytes lie', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat(7),
        fc.nat(9),
        (payload, key, offset, position) => {
          const room = new Uint8Array(offset + payload.length);
          const bytes = room.subarray(offset);
          bytes.set(payload);
          maskInPlace(bytes, key, position);
          const expected = payload.map((byte, at) => byte ^ (key[(position + at) % 4] ?? 0));
          expect(encodeHex(bytes)).toBe(encodeHex(expected));
        },
      ),
      { interruptAfterTimeLimit: 2000 },
    );
  });
});

describe('a frame head', () => {
  it.each([
    [125, '827d'],
    [126, '827e007e'],
    [65_535, '827effff'],
    [65_536, '827f0000000000010000'],
  ])('has the shortest form for %d bytes', (length, hex) => {
    expect(encodeHex(encodeWebSocketHead('binary', length))).toBe(hex);
  });

  it('is not written for what may not be sent', () => {
    expect(() => encodeWebSocketHead('ping', 126)).toThrow(RangeError);
    expect(() => encodeWebSocketHead('text', 1, new Uint8Array(3))).toThrow(RangeError);
  });
});

describe('a close reason', () => {
  it('is cut between characters where it is too long', () => {
    const payload = encodeCloseReason(1000, `x${'é'.repeat(100)}`);
    expect(payload.length).toBeLessThanOrEqual(125);
    expect(utf8.decode(payload.subarray(2))).toBe(`x${'é'.repeat(61)}`);
    expect(encodeHex(encodeCloseReason(1001))).toBe('03e9');
  });
});
