import type { Writable } from 'node:stream';

/** Where frames go to the extension. */
export interface FrameSink {
  /** Whether more would only wait in memory; it is told when everything has left. */
  readonly isFull: boolean;
  /** Whether the kernel has everything, so that the memory of what was sent is free. */
  readonly isFlushed: boolean;
  /** Sends a frame, which may be in pieces. */
  send(...pieces: readonly Uint8Array[]): void;
  /** What is sent meanwhile goes to the kernel in one call. */
  together(send: () => void): void;
}

/** Writes to a connection, and tells when the kernel has it all. */
export class GatheredWriter {
  readonly #stream: Writable;
  readonly #mostWaiting: number;
  readonly #onDrain: () => void;
  #isBehind = false;

  /**
   * @param mostWaiting Bytes that may wait for the kernel until it is full.
   * @param onDrain Told when the kernel has everything after it did not.
   */
  constructor(stream: Writable, mostWaiting: number, onDrain: () => void) {
    this.#stream = stream;
    this.#mostWaiting = mostWaiting;
    this.#onDrain = onDrain;
  }

  get isFull(): boolean {
    return this.#stream.writableLength > this.#mostWaiting;
  }

  get isFlushed(): boolean {
    return this.#stream.writableLength === 0;
  }

  write(...pieces: readonly Uint8Array[]): void {
    this.together(() => {
      for (const piece of pieces) this.#stream.write(piece, () => this.#written());
    });
  }

  together(write: () => void): void {
    this.#stream.cork();
    write();
    this.#stream.uncork();
    this.#isBehind = !this.isFlushed;
  }

  #written(): void {
    if (!this.#isBehind || !this.isFlushed || this.#stream.destroyed) return;
    this.#isBehind = false;
    this.#onDrain();
  }
}
