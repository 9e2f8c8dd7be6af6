import { ByteReader, ByteWriter } from '../byte-cursor.ts';
import { encodeText } from '../bytes.ts';
import { ManypathError } from '../errors.ts';

/** A message on a stream connection is no frame of docs/STREAMS.md. The connection cannot be used any further. */
export class StreamFrameError extends ManypathError {
  constructor(reason: string, cause?: unknown) {
    super('MANYPATH_STREAM_FRAME_INVALID', `a frame of a stream connection is wrong: ${reason}`, {
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** What a stream leads to: a `host:port`, or a program that the user has allowed by its name. */
export type StreamKind = 'tcp' | 'program';

/** Why a stream ends other than by both sides finishing; the numbers of docs/STREAMS.md. */
export type StreamResetReason = keyof typeof resetNumbers;

/** One frame; its fields are those of docs/STREAMS.md. */
export type StreamFrame =
  | {
      readonly type: 'open';
      readonly stream: number;
      /** Bytes that the other side may send on this stream at first. */
      readonly credit: number;
      readonly kind: StreamKind;
      readonly target: string;
    }
  | {
      readonly type: 'opened';
      readonly stream: number;
      readonly credit: number;
      /** `host:port` of both ends; empty for a program. */
      readonly local: string;
      readonly remote: string;
    }
  | { readonly type: 'data'; readonly stream: number; readonly bytes: Uint8Array }
  | { readonly type: 'credit'; readonly stream: number; readonly credit: number }
  | { readonly type: 'finish'; readonly stream: number }
  | {
      readonly type: 'reset';
      readonly stream: number;
      readonly reason: StreamResetReason;
      /** In words, for people; up to {@link longestMessage} bytes are sent. */
      readonly message: string;
    };

const types = { open: 1, opened: 2, data: 3, credit: 4, finish: 5, reset: 6 } as const;
const kinds = { tcp: 1, program: 2 } as const;
const resetNumbers = {
  /** The one who uses the stream does not want it any more. */
  cancelled: 1,
  /** What the stream leads to broke it off. */
  broken: 2,
  /** What it should lead to was not reached. */
  unreachable: 3,
  /** It may not be opened. */
  denied: 4,
  /** There are as many streams as may be. */
  tooMany: 5,
  /** This side made a mistake. */
  internal: 6,
} as const;

const typeOf = new Map<number, keyof typeof types>(swapped(types));
const kindOf = new Map<number, StreamKind>(swapped(kinds));
const reasonOf = new Map<number, StreamResetReason>(swapped(resetNumbers));

/** Type and stream. */
export const frameHeadBytes = 5;
/** Bytes of the UTF-8 of a target. */
export const longestTarget = 1024;
/** Bytes of the UTF-8 of a message. */
export const longestMessage = 512;

/** Writes a frame as one message. A message that is too long is cut. */
export function encodeStreamFrame(frame: StreamFrame): Uint8Array<ArrayBuffer> {
  const room = frame.type === 'data' ? frameHeadBytes + frame.bytes.length : undefined;
  const out = new ByteWriter(room).uint8(types[frame.type]).uint32(frame.stream);
  switch (frame.type) {
    case 'open':
      return out.uint32(frame.credit).uint8(kinds[frame.kind]).bytes(encodeText(frame.target)).finish();
    case 'opened': {
      const local = encodeText(frame.local);
      return out
        .uint32(frame.credit)
        .uint16(local.length)
        .bytes(local)
        .bytes(encodeText(frame.remote))
        .finish();
    }
    case 'data':
      return out.bytes(frame.bytes).finish();
    case 'credit':
      return out.uint32(frame.credit).finish();
    case 'finish':
      return out.finish();
    case 'reset':
      return out
        .uint16(resetNumbers[frame.reason])
        .bytes(encodeText(frame.message).subarray(0, longestMessage))
        .finish();
  }
}

/**
 * Reads one message. The bytes of a data frame are a view of it.
 *
 * @throws StreamFrameError `MANYPATH_STREAM_FRAME_INVALID`
 */
export function decodeStreamFrame(message: Uint8Array): StreamFrame {
  const reader = new ByteReader(message);
  try {
    const frame = readFrame(reader);
    if (reader.remaining > 0) throw new StreamFrameError(`${reader.remaining} bytes too many`);
    return frame;
  } catch (error) {
    if (error instanceof StreamFrameError) throw error;
    throw new StreamFrameError('it is cut short', error);
  }
}

function readFrame(reader: ByteReader): StreamFrame {
  const number = reader.uint8();
  const type = typeOf.get(number);
  if (type === undefined) throw new StreamFrameError(`there is no type ${number}`);
  const stream = reader.uint32();
  if (stream === 0) throw new StreamFrameError('stream 0 does not exist');
  switch (type) {
    case 'open': {
      const credit = reader.uint32();
      const kind = kindOf.get(reader.uint8());
      if (kind === undefined) throw new StreamFrameError('it opens a stream of no known kind');
      return { type, stream, credit, kind, target: text(reader.bytes(), longestTarget) };
    }
    case 'opened': {
      const credit = reader.uint32();
      const local = text(reader.bytes(reader.uint16()), longestTarget);
      return { type, stream, credit, local, remote: text(reader.bytes(), longestTarget) };
    }
    case 'data': {
      const bytes = reader.bytes();
      if (bytes.length === 0) throw new StreamFrameError('it carries no data');
      return { type, stream, bytes };
    }
    case 'credit':
      return { type, stream, credit: reader.uint32() };
    case 'finish':
      return { type, stream };
    case 'reset': {
      // A reason that a later version brings is as good as a mistake of the other side.
      const reason = reasonOf.get(reader.uint16()) ?? 'internal';
      return { type, stream, reason, message: text(reader.bytes(), longestMessage) };
    }
  }
}

const decoder = new TextDecoder();

function text(bytes: Uint8Array, longest: number): string {
  if (bytes.length > longest) throw new StreamFrameError(`a text is longer than ${longest} bytes`);
  return decoder.decode(bytes);
}

function swapped<Key extends string>(numbers: Readonly<Record<Key, number>>): [number, Key][] {
  return (Object.entries(numbers) as [Key, number][]).map(([key, number]) => [number, key]);
}
