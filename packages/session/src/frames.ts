import { ByteReader, BytesCutShortError, ByteWriter, decodeText, encodeText } from '@manypath/core';
import { SessionProtocolError, TunnelTargetError } from './errors.ts';
import type { SessionLimits } from './limits.ts';

/** The types of frames, by the numbers of docs/SESSION.md §3. Those of carriers and sessions as a whole have tunnel 0. */
export const frameTypes = {
  hello: 0x01,
  welcome: 0x02,
  refused: 0x03,
  acknowledge: 0x04,
  ping: 0x05,
  pong: 0x06,
  left: 0x07,
  goAway: 0x08,
  goodbye: 0x09,
  settled: 0x0a,
  open: 0x10,
  accept: 0x11,
  data: 0x12,
  credit: 0x13,
  blocked: 0x14,
  finish: 0x15,
  reset: 0x16,
  datagram: 0x18,
} as const;

/** Frames of this type and above may be passed over by who does not know them: later versions may say more. */
export const firstOptionalType = 0x80;

/** Length (3 bytes), type (1), tunnel (4). */
export const frameHeadBytes = 8;
/** The head of a data frame, with the offset (8) of its bytes in the tunnel. */
export const dataHeadBytes = 16;

/** What a tunnel leads to: a TCP target; datagrams; a server behind the other end; something that the other end does itself. */
export type TunnelKind = 'tcp' | 'flow' | 'publication' | 'service';

const kindNumbers = { tcp: 1, flow: 2, publication: 3, service: 4 } as const;
const kindOf = new Map<number, TunnelKind>(
  (Object.entries(kindNumbers) as [TunnelKind, number][]).map(([kind, number]) => [number, kind]),
);

/** What OPEN says. */
export interface OpenRequest {
  readonly kind: TunnelKind;
  /** `host:port`; the name of a publication or a service. */
  readonly target: string;
  /** Whether only public addresses are wanted. */
  readonly publicOnly: boolean;
  /** Bytes that may be sent towards the one who opens, at first. Up to 2³² − 1. */
  readonly credit: number;
}

const publicOnlyFlag = 0x01;

/** Why a tunnel was broken off, or a session ended: a number of docs/SESSION.md §6, and words for people. */
export interface TunnelReset {
  readonly code: number;
  /** A stable identifier such as `MANYPATH_RELAY_TARGET_TIMEOUT`, and what it means, in one line. Can be empty. */
  readonly message: string;
}

/** A frame whose body is written by the caller. */
export function encodeFrame(type: number, tunnel: number, body: Uint8Array = nothing): Uint8Array {
  const frame = new Uint8Array(frameHeadBytes + body.length);
  writeHead(frame, 0, body.length, type, tunnel);
  frame.set(body, frameHeadBytes);
  return frame;
}

/** @throws TunnelTargetError `MANYPATH_TUNNEL_TARGET` */
export function encodeOpen(
  tunnel: number,
  { kind, target, publicOnly, credit }: OpenRequest,
  limits: Pick<SessionLimits, 'targetBytes'>,
): Uint8Array {
  const name = encodeText(target);
  if (name.length > limits.targetBytes) throw new TunnelTargetError(limits.targetBytes);
  const frame = new Uint8Array(frameHeadBytes + 6 + name.length);
  writeHead(frame, 0, 6 + name.length, frameTypes.open, tunnel);
  frame[frameHeadBytes] = kindNumbers[kind];
  frame[frameHeadBytes + 1] = publicOnly ? publicOnlyFlag : 0;
  writeUint32(frame, frameHeadBytes + 2, credit);
  frame.set(name, frameHeadBytes + 6);
  return frame;
}

/** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
export function decodeOpen(body: Uint8Array, limits: SessionLimits): OpenRequest {
  return read(body, reader => {
    const kind = kindOf.get(reader.uint8());
    if (kind === undefined) throw new SessionProtocolError('it opens a tunnel of no known kind');
    const flags = reader.uint8();
    const credit = reader.uint32();
    const target = text(reader.bytes(), limits.targetBytes);
    return { kind, target, publicOnly: (flags & publicOnlyFlag) !== 0, credit };
  });
}

/** A frame that says one number of up to 53 bits: an offset, a limit, a count. */
export function encodeNumber(type: number, tunnel: number, value: number): Uint8Array {
  const frame = new Uint8Array(frameHeadBytes + 8);
  writeHead(frame, 0, 8, type, tunnel);
  writeUint64(frame, frameHeadBytes, value);
  return frame;
}

/** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
export function decodeNumber(body: Uint8Array): number {
  if (body.length !== 8) throw new SessionProtocolError('a number is not of 8 bytes');
  return readUint64(body, 0);
}

/** RESET of a tunnel, or GOODBYE of the session. @param mostBytes Of the words; what is longer is cut. */
export function encodeReset(
  type: typeof frameTypes.reset | typeof frameTypes.goodbye,
  tunnel: number,
  { code, message }: TunnelReset,
  mostBytes: number,
): Uint8Array {
  const words = encodeText(message).subarray(0, mostBytes);
  return encodeFrame(type, tunnel, new ByteWriter(2 + words.length).uint16(code).bytes(words).finish());
}

/** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
export function decodeReset(body: Uint8Array, limits: SessionLimits): TunnelReset {
  return read(body, reader => ({
    code: reader.uint16(),
    message: text(reader.bytes(), limits.messageBytes),
  }));
}

/** That the sender uses a carrier no more, and how many bytes of whole frames it has got from it. */
export interface CarrierLeft {
  readonly carrier: number;
  readonly received: number;
}

/** LEFT, or SETTLED, which answers it. */
export function encodeLeft(
  type: typeof frameTypes.left | typeof frameTypes.settled,
  { carrier, received }: CarrierLeft,
): Uint8Array {
  const body = new Uint8Array(12);
  writeUint32(body, 0, carrier);
  writeUint64(body, 4, received);
  return encodeFrame(type, 0, body);
}

/** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
export function decodeLeft(body: Uint8Array): CarrierLeft {
  if (body.length !== 12) throw new SessionProtocolError('what it says of a carrier is not of 12 bytes');
  return { carrier: readUint32(body, 0), received: readUint64(body, 4) };
}

/** Writes the head of a data frame into the 16 bytes at `at`. */
export function writeDataHead(
  bytes: Uint8Array,
  at: number,
  tunnel: number,
  offset: number,
  length: number,
): void {
  writeHead(bytes, at, 8 + length, frameTypes.data, tunnel);
  writeUint64(bytes, at + frameHeadBytes, offset);
}

function writeHead(bytes: Uint8Array, at: number, length: number, type: number, tunnel: number): void {
  bytes[at] = length >>> 16;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length;
  bytes[at + 3] = type;
  writeUint32(bytes, at + 4, tunnel);
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  writeUint32(bytes, at, Math.floor(value / 0x1_0000_0000));
  writeUint32(bytes, at + 4, value % 0x1_0000_0000);
}

/** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, a number that no tunnel or carrier reaches in its life */
export function readUint64(bytes: Uint8Array, at: number): number {
  const high = readUint32(bytes, at);
  if (high > 0x1f_ffff) throw new SessionProtocolError('a number has more than 53 bits');
  return high * 0x1_0000_0000 + readUint32(bytes, at + 4);
}

function read<T>(body: Uint8Array, take: (reader: ByteReader) => T): T {
  try {
    return take(new ByteReader(body));
  } catch (error) {
    if (error instanceof BytesCutShortError) throw new SessionProtocolError('a frame is cut short', error);
    throw error;
  }
}

const nothing = new Uint8Array();

function text(bytes: Uint8Array, most: number): string {
  if (bytes.length > most) throw new SessionProtocolError(`a text is longer than ${most} bytes`);
  return decodeText(bytes);
}
