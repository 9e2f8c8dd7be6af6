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

/** What a stream leads to: a `host:port`, or a program that the user has listed, by its name. */
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
      /** Whether it may lead to this host or the networks that it is on. */
      readonly local: boolean;
      /** The web page's, as the browser knows it; empty from the page itself. */
      readonly origin: string;
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
    }
  | {
      readonly type: 'info';
      readonly stream: number;
      /** JSON; empty to ask for it. */
      readonly text: string;
    }
  | { readonly type: 'stop'; readonly stream: number }
  | {
      readonly type: 'exit';
      readonly stream: number;
      /** How a program ended: `exit 0`, `signal SIGTERM`. */
      readonly outcome: string;
    };

const types = {
  open: 1,
  opened: 2,
  data: 3,
  credit: 4,
  finish: 5,
  reset: 6,
  info: 7,
  stop: 8,
  exit: 9,
} as const;
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
  /** The other side, or this one, made a mistake. */
  internal: 6,
  /** The target is this host or on a network of it, and that was not allowed. */
  local: 7,
} as const;

const typeOf = new Map<number, keyof typeof types>(swapped(types));
const kindOf = new Map<number, StreamKind>(swapped(kinds));
const reasonOf = new Map<number, StreamResetReason>(swapped(resetNumbers));

/** Type and stream. */
export const frameHeadBytes = 5;
/** Bytes of the UTF-8 of a target. */
export const longestTarget = 1024;
/** Bytes of the UTF-8 of an origin. */
export const longestOrigin = 512;
/** Bytes of the UTF-8 of a message or an outcome. */
export const longestMessage = 512;
/** Bytes of the UTF-8 of what is told of a stream. */
export const longestInfo = 16_384;
/** Bit of OPEN's flags. */
const localFlag = 1;

/** Writes a frame as one message. A message that is too long is cut. */
export function encodeStreamFrame(frame: StreamFrame): Uint8Array<ArrayBuffer> {
  if (frame.type === 'data') return encodeData(frame.stream, frame.bytes);
  const out = new ByteWriter().uint8(types[frame.type]).uint32(frame.stream);
  switch (frame.type) {
    case 'open': {
      const origin = encodeText(frame.origin);
      out
        .uint32(frame.credit)
        .uint8(kinds[frame.kind])
        .uint8(frame.local ? localFlag : 0);
      return out.uint16(origin.length).bytes(origin).bytes(encodeText(frame.target)).finish();
    }
    case 'opened': {
      const local = encodeText(frame.local);
      out.uint32(frame.credit).uint16(local.length).bytes(local);
      return out.bytes(encodeText(frame.remote)).finish();
    }
    case 'credit':
      return out.uint32(frame.credit).finish();
    case 'stop':
    case 'finish':
      return out.finish();
    case 'exit':
      return out.bytes(cut(frame.outcome, longestMessage)).finish();
    case 'reset':
      return out.uint16(resetNumbers[frame.reason]).bytes(cut(frame.message, longestMessage)).finish();
    case 'info':
      return out.bytes(encodeText(frame.text)).finish();
  }
}

/** The one that is sent often, copied once. */
function encodeData(stream: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(frameHeadBytes + bytes.length);
  out.set(encodeDataHead(stream));
  out.set(bytes, frameHeadBytes);
  return out;
}

/** What comes before the bytes of a data frame, for who can send both without joining them. */
export function encodeDataHead(stream: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(frameHeadBytes);
  head[0] = types.data;
  new DataView(head.buffer).setUint32(1, stream);
  return head;
}

function cut(text: string, longest: number): Uint8Array {
  return encodeText(text).subarray(0, longest);
}

/**
 * Gives a message another stream number, in place: for who stands between the two sides.
 *
 * @returns The number it had; 0 for a message that is none.
 */
export function renumberStreamFrame(message: Uint8Array, stream: number): number {
  if (message.length < frameHeadBytes) return 0;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const before = view.getUint32(1);
  view.setUint32(1, stream);
  return before;
}

/** The type of a message that is not read any further; `undefined` when there is no such type. */
export function streamFrameType(message: Uint8Array): StreamFrame['type'] | undefined {
  return typeOf.get(message[0] ?? 0);
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
      const local = (reader.uint8() & localFlag) !== 0;
      const origin = text(reader.bytes(reader.uint16()), longestOrigin);
      return { type, stream, credit, kind, local, origin, target: text(reader.bytes(), longestTarget) };
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
    case 'stop':
      return { type, stream };
    case 'exit':
      return { type, stream, outcome: text(reader.bytes(), longestMessage) };
    case 'info':
      return { type, stream, text: text(reader.bytes(), longestInfo) };
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
