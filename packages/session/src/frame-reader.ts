import { SessionProtocolError } from './errors.ts';
import { dataHeadBytes, frameHeadBytes, frameTypes, readUint32, readUint64 } from './frames.ts';

/** Takes what a {@link FrameReader} reads. */
export interface FrameSink {
  /** A whole frame other than DATA; the body is good until this returns. */
  onFrame(type: number, tunnel: number, body: Uint8Array): void;
  /** The next bytes of a DATA frame, a view of what was read. Tunnel and bytes are not 0. */
  onData(tunnel: number, offset: number, bytes: Uint8Array): void;
}

/** Told of each frame that has been read to its end, with its bytes, head included. */
export type OnFrameEnd = (bytes: number, type: number) => void;

/** How long frames may be: bytes of their bodies. */
export interface FrameSizes {
  readonly controlBytes: number;
  readonly dataBytes: number;
  readonly datagramBytes: number;
}

/** Cuts what comes on a carrier into frames, in place: only heads and small frames that come in pieces are copied. */
export class FrameReader {
  readonly #sink: FrameSink;
  readonly #sizes: FrameSizes;
  readonly #onFrameEnd: OnFrameEnd;
  /** The beginning of a frame that came without its end. */
  #held = new Uint8Array(heldAtFirst);
  #heldBytes = 0;
  /** Of the DATA frame that is being read. */
  #dataLeft = 0;
  #dataTunnel = 0;
  #dataOffset = 0;
  #dataFrameBytes = 0;
  #stopped = false;

  constructor(sink: FrameSink, sizes: FrameSizes, onFrameEnd: OnFrameEnd = () => {}) {
    this.#sink = sink;
    this.#sizes = sizes;
    this.#onFrameEnd = onFrameEnd;
  }

  /** Whatever comes from now on is passed over. */
  stop(): void {
    this.#stopped = true;
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#dataLeft > 0) at = this.#takeData(chunk, at);
      else if (this.#heldBytes > 0) at = this.#complete(chunk, at);
      else at = this.#takeFrame(chunk, at);
    }
  }

  #takeData(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.length, at + this.#dataLeft);
    const offset = this.#dataOffset;
    this.#dataOffset += end - at;
    this.#dataLeft -= end - at;
    this.#sink.onData(this.#dataTunnel, offset, chunk.subarray(at, end));
    if (this.#dataLeft === 0) this.#onFrameEnd(this.#dataFrameBytes, frameTypes.data);
    return end;
  }

  /** A frame that begins at `at`; holds what there is of it when its end, or a data head's, is not there. */
  #takeFrame(chunk: Uint8Array, at: number): number {
    const there = chunk.length - at;
    const needed = there < frameHeadBytes ? frameHeadBytes : this.#needed(chunk, at);
    if (there < needed) {
      this.#hold(chunk.subarray(at), needed);
      return chunk.length;
    }
    this.#begin(chunk, at, needed);
    return at + needed;
  }

  #complete(chunk: Uint8Array, at: number): number {
    const needed = this.#heldBytes < frameHeadBytes ? frameHeadBytes : this.#needed(this.#held, 0);
    const end = Math.min(chunk.length, at + needed - this.#heldBytes);
    this.#hold(chunk.subarray(at, end), needed);
    if (this.#heldBytes < frameHeadBytes || this.#heldBytes < this.#needed(this.#held, 0)) return end;
    const held = this.#held;
    const bytes = this.#heldBytes;
    this.#heldBytes = 0;
    if (held.length > heldAtFirst) this.#held = new Uint8Array(heldAtFirst);
    this.#begin(held, 0, bytes);
    return end;
  }

  /** How much of a frame must be there to go on with it; its head is. */
  #needed(bytes: Uint8Array, at: number): number {
    const length = bodyLength(bytes, at);
    const type = bytes[at + 3] ?? 0;
    if (type === frameTypes.data) {
      if (length <= 8) throw new SessionProtocolError('a data frame carries no data');
      if (length > 8 + this.#sizes.dataBytes) throw new SessionProtocolError('a data frame is too long');
      return dataHeadBytes;
    }
    const most = type === frameTypes.datagram ? this.#sizes.datagramBytes : this.#sizes.controlBytes;
    if (length > most) throw new SessionProtocolError(`a frame of type ${type} is longer than ${most} bytes`);
    return frameHeadBytes + length;
  }

  #begin(bytes: Uint8Array, at: number, length: number): void {
    const type = bytes[at + 3] ?? 0;
    const tunnel = readUint32(bytes, at + 4);
    if (type !== frameTypes.data) {
      this.#sink.onFrame(type, tunnel, bytes.subarray(at + frameHeadBytes, at + length));
      this.#onFrameEnd(length, type);
      return;
    }
    if (tunnel === 0) throw new SessionProtocolError('there is data for no tunnel');
    this.#dataTunnel = tunnel;
    this.#dataOffset = readUint64(bytes, at + frameHeadBytes);
    this.#dataLeft = bodyLength(bytes, at) - 8;
    this.#dataFrameBytes = dataHeadBytes + this.#dataLeft;
  }

  #hold(bytes: Uint8Array, needed: number): void {
    if (needed > this.#held.length) {
      const larger = new Uint8Array(needed);
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(bytes, this.#heldBytes);
    this.#heldBytes += bytes.length;
  }
}

/** Room for the beginning of a frame that came without its end; enough for all but a few. */
const heldAtFirst = 64;

function bodyLength(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
}
