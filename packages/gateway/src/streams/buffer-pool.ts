/** Bytes from which on memory is worth being used again. */
const leastBytes = 8192;

/** Memory for messages, used again when they are out of the way: the collector has nothing to do for them. */
export class BufferPool {
  readonly #bufferBytes: number;
  readonly #mostKept: number;
  readonly #free: ArrayBuffer[] = [];

  /**
   * @param bufferBytes Of one buffer; longer messages and very short ones get memory of their own.
   * @param mostKept Buffers that are kept while nobody needs them.
   */
  constructor(bufferBytes: number, mostKept: number) {
    this.#bufferBytes = bufferBytes;
    this.#mostKept = mostKept;
  }

  /** Memory of just that length; what is in it is left from before. */
  take(length: number): Uint8Array {
    if (length < leastBytes || length > this.#bufferBytes) return new Uint8Array(length);
    return new Uint8Array(this.#free.pop() ?? new ArrayBuffer(this.#bufferBytes), 0, length);
  }

  /** Nobody uses it any more, nor any other view of the same memory. */
  give({ buffer }: Uint8Array): void {
    const isOurs = buffer instanceof ArrayBuffer && buffer.byteLength === this.#bufferBytes;
    if (isOurs && this.#free.length < this.#mostKept) this.#free.push(buffer);
  }
}
