import { StreamFrameError } from './stream-frames.ts';

/** Bytes that tell how long the next frame is. */
const lengthBytes = 4;

/** What comes before a frame in a body of frames (docs/STREAMS.md): its length. */
export function encodeBodyHead(frameBytes: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(lengthBytes);
  new DataView(head.buffer).setUint32(0, frameBytes);
  return head;
}

/** Reads frames out of a body that was split anywhere: bytes in, frames out, each in memory of its own. */
export class StreamBodyReader {
  readonly #mostBytes: number;
  readonly #length = new Uint8Array(lengthBytes);
  #lengthFilled = 0;
  #frame: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;

  /** @param mostBytes What a frame may have at most. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /**
   * Takes in the next bytes.
   *
   * @throws StreamFrameError `MANYPATH_STREAM_FRAME_INVALID`
   */
  receive(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] {
    const frames: Uint8Array<ArrayBuffer>[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#frame === undefined) {
        offset += this.#takeLength(chunk.subarray(offset, offset + lengthBytes - this.#lengthFilled));
        continue;
      }
      const part = chunk.subarray(offset, offset + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      offset += part.length;
      if (this.#filled < this.#frame.length) break;
      frames.push(this.#frame);
      this.#frame = undefined;
    }
    return frames;
  }

  #takeLength(part: Uint8Array): number {
    this.#length.set(part, this.#lengthFilled);
    this.#lengthFilled += part.length;
    if (this.#lengthFilled === lengthBytes) {
      const length = new DataView(this.#length.buffer).getUint32(0);
      if (length === 0 || length > this.#mostBytes)
        throw new StreamFrameError(`a frame of ${length} bytes cannot be`);
      this.#frame = new Uint8Array(length);
      this.#filled = 0;
      this.#lengthFilled = 0;
    }
    return part.length;
  }
}
