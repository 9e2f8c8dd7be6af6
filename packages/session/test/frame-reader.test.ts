import { describe, expect, it } from 'vitest';
import { encodeNumber, writeDataHead } from '../src/frames.ts';
import { encodeFrame, FrameReader, frameTypes, SessionProtocolError, sessionLimits } from '../src/index.ts';
import { textOf } from './support/talker.ts';

const traffic = Buffer.concat([
  encodeNumber(frameTypes.ping, 0, 1),
  data(1, 0, textOf(1, 3)),
  encodeFrame(frameTypes.accept, 1),
  data(3, 1000, textOf(2, 20)),
  encodeFrame(0x90, 7, textOf(3, 100)),
  encodeNumber(frameTypes.finish, 1, 3),
]);

describe('a reader of frames', () => {
  it('reads the same wherever what comes is cut in two or three', () => {
    const whole = readIn([traffic]);
    for (let first = 0; first <= traffic.length; first++) {
      for (let second = first; second <= traffic.length; second += 7) {
        const cut = [traffic.subarray(0, first), traffic.subarray(first, second), traffic.subarray(second)];
        expect(readIn(cut)).toEqual(whole);
      }
    }
  });

  it('reads the same byte by byte, and counts whole frames only', () => {
    expect(readIn([...traffic].map(byte => Buffer.of(byte)))).toEqual(readIn([traffic]));
    expect(readIn([traffic.subarray(0, -1)]).ends.at(-1)).toBe(traffic.length - 16);
  });

  it('reads nothing more once it is stopped, be it in the middle of a chunk', () => {
    let frames = 0;
    const reader = new FrameReader(
      {
        onFrame: () => {
          frames += 1;
          reader.stop();
        },
        onData: () => {},
      },
      sessionLimits,
    );
    reader.push(traffic);
    reader.push(traffic);
    expect(frames).toBe(1);
  });

  it.each([
    ['a frame longer than one of its type may be', head(4097, frameTypes.ping, 0)],
    ['data longer than a frame may carry', head(8 + 262_145, frameTypes.data, 1)],
    ['a datagram that is too long', head(65_536, frameTypes.datagram, 1)],
    ['data without a byte', head(8, frameTypes.data, 1)],
    ['data without an offset', head(3, frameTypes.data, 1)],
    ['data for no tunnel', Buffer.concat([head(9, frameTypes.data, 0), Buffer.alloc(9)])],
    ['an offset beyond 53 bits', Buffer.concat([head(9, frameTypes.data, 1), Buffer.alloc(9, 0xff)])],
  ])('refuses %s as soon as its head is there', (_, bytes) => {
    expect(() => readIn([bytes])).toThrow(SessionProtocolError);
  });
});

/** What is read; bytes of data are joined, since they come as they were cut. */
function readIn(chunks: readonly Uint8Array[]) {
  const seen: string[] = [];
  const ends: number[] = [];
  let total = 0;
  const bytes = new Map<number, number[]>();
  const reader = new FrameReader(
    {
      onFrame: (type, tunnel, body) =>
        void seen.push(`${type} ${tunnel} ${Buffer.from(body).toString('hex')}`),
      onData: (tunnel, offset, data) => {
        const there = bytes.get(tunnel) ?? [];
        bytes.set(tunnel, there);
        for (const [at, byte] of data.entries()) there[offset + at] = byte;
      },
    },
    sessionLimits,
    length => {
      total += length;
      ends.push(total);
    },
  );
  // What was given may be written over: nothing of it is needed any more.
  for (const chunk of chunks) {
    const given = new Uint8Array(chunk);
    reader.push(given);
    given.fill(0xdd);
  }
  return { seen, ends, bytes };
}

function data(tunnel: number, offset: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(16 + bytes.length);
  writeDataHead(frame, 0, tunnel, offset, bytes.length);
  frame.set(bytes, 16);
  return frame;
}

function head(length: number, type: number, tunnel: number): Buffer {
  return Buffer.from([length >>> 16, (length >>> 8) & 0xff, length & 0xff, type, 0, 0, 0, tunnel]);
}
