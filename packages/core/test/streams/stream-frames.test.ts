import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex } from '../../src/hex.ts';
import { decodeStreamFrame, encodeStreamFrame, type StreamFrame } from '../../src/streams/stream-frames.ts';

const fromHex = (hex: string) => decodeHex(hex) ?? new Uint8Array();

/** The vectors of docs/STREAMS.md. */
const vectors: [string, StreamFrame][] = [
  [
    '0100000001000100000100001168747470733a2f2f622e6578616d706c65612e6578616d706c653a343433',
    {
      type: 'open',
      stream: 1,
      credit: 65_536,
      kind: 'tcp',
      local: false,
      origin: 'https://b.example',
      target: 'a.example:443',
    },
  ],
  [
    '010000000200010000020000007175697a',
    { type: 'open', stream: 2, credit: 65_536, kind: 'program', local: false, origin: '', target: 'quiz' },
  ],
  [
    '010000000300010000010100005b3a3a315d3a3232',
    { type: 'open', stream: 3, credit: 65_536, kind: 'tcp', local: true, origin: '', target: '[::1]:22' },
  ],
  ['0200000001000400000000', { type: 'opened', stream: 1, credit: 262_144, local: '', remote: '' }],
  [
    '02000000010004000000033a3a31783a32',
    { type: 'opened', stream: 1, credit: 262_144, local: '::1', remote: 'x:2' },
  ],
  ['030000000162', { type: 'data', stream: 1, bytes: Uint8Array.of(0x62) }],
  ['040000000100010000', { type: 'credit', stream: 1, credit: 65_536 }],
  ['0500000001', { type: 'finish', stream: 1 }],
  ['060000000100036e6f', { type: 'reset', stream: 1, reason: 'unreachable', message: 'no' }],
  ['0700000001', { type: 'info', stream: 1, text: '' }],
  ['0800000001', { type: 'stop', stream: 1 }],
  ['0900000001657869742030', { type: 'exit', stream: 1, outcome: 'exit 0' }],
  ['07000000017b7d', { type: 'info', stream: 1, text: '{}' }],
];

describe('a frame of a stream connection', () => {
  it.each(vectors)('is %s', (hex, frame) => {
    expect(encodeHex(encodeStreamFrame(frame))).toBe(hex);
    expect(decodeStreamFrame(fromHex(hex))).toEqual(frame);
  });

  it.each([
    ['nothing', ''],
    ['no stream', '03'],
    ['stream 0', '0500000000'],
    ['an unknown type', '0a00000001'],
    ['an unknown kind', '01000000010004000009'],
    ['no data', '0300000001'],
    ['too much after its end', '04000000010001000000'],
    ['an origin that is cut short', '0100000001000100000100000561'],
    ['a credit that is cut short', '04000000010001'],
    ['an address that is cut short', '020000000100040000000561'],
    ['a target that is too long', `01000000010001000001000000${'61'.repeat(1025)}`],
  ])('is none with %s', (_, hex) => {
    expect(() => decodeStreamFrame(fromHex(hex))).toThrow(
      expect.objectContaining({ code: 'MANYPATH_STREAM_FRAME_INVALID' }),
    );
  });

  it('cuts a message that is too long, and takes a reason that it does not know for a mistake', () => {
    const long = encodeStreamFrame({ type: 'reset', stream: 1, reason: 'broken', message: 'x'.repeat(5000) });
    expect(decodeStreamFrame(long)).toMatchObject({ message: 'x'.repeat(512) });
    expect(decodeStreamFrame(fromHex('0600000001ffff'))).toMatchObject({ reason: 'internal' });
  });

  it('is read from any bytes or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
        try {
          const frame = decodeStreamFrame(bytes);
          expect(decodeStreamFrame(encodeStreamFrame(frame))).toEqual(frame);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANYPATH_STREAM_FRAME_INVALID' });
        }
      }),
      { interruptAfterTimeLimit: 2000, numRuns: 2000 },
    );
  });
});
