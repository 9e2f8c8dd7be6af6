import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { ByteCount } from '../counted-stream.ts';

/** What a stream leads to: a connection, or a program. */
export interface LegEnds {
  readonly readable: Readable;
  readonly writable: Writable;
  /** Told of what remains when both directions are over, e.g. a program's exit. Default: nothing. */
  readonly outcome?: Promise<string>;
  /** Breaks it off. */
  destroy(): void;
}

/** What a {@link StreamLeg} tells of its far end. */
export interface LegHandlers {
  /** @returns Whether more is wanted now; else `resume` says when. */
  onData(bytes: Uint8Array): boolean;
  /** So many bytes are out of the way. */
  onTaken(bytes: number): void;
  /** Nothing more comes. */
  onEnd(outcome: string): void;
  /** It reads nothing more, and may still send. */
  onStop(): void;
  /** It broke. */
  onBroken(reason: string): void;
}

/** Moves bytes between a stream and what it leads to, with back-pressure both ways. */
export class StreamLeg {
  readonly #ends: LegEnds;
  readonly #handlers: LegHandlers;
  #bytesIn = 0;
  #bytesOut = 0;
  #readEnded = false;
  #writeEnded = false;
  #isStopped = false;
  #isOver = false;

  constructor(ends: LegEnds, handlers: LegHandlers) {
    this.#ends = ends;
    this.#handlers = handlers;
    const { readable, writable } = ends;
    readable.on('data', (chunk: Buffer) => {
      if (this.#isStopped) return;
      this.#bytesIn += chunk.length;
      if (!handlers.onData(chunk)) readable.pause();
    });
    readable.once('end', () => void this.#onEnd());
    for (const end of new Set<Readable | Writable>([readable, writable])) {
      end.on('error', (error: Error) => this.#onBroken(error));
      end.once('close', () => this.#onClose());
    }
    writable.once('finish', () => {
      this.#writeEnded = true;
    });
  }

  get count(): ByteCount {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  /** Whether both directions have ended, or it broke. */
  get isOver(): boolean {
    const { readable, writable } = this.#ends;
    return this.#isOver || (readable.closed && writable.closed);
  }

  /** Whether one direction has ended. */
  get isHalfClosed(): boolean {
    return this.#readEnded !== this.#writeEnded;
  }

  write(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length;
    this.#ends.writable.write(bytes, error => {
      if (!error) this.#handlers.onTaken(bytes.length);
    });
  }

  end(): void {
    this.#ends.writable.end();
  }

  /** What comes is not wanted any more. What was written is still delivered. */
  stopReading(): void {
    const { readable, writable, outcome } = this.#ends;
    this.#isStopped = true;
    // A program is told by its pipe; a connection can be told only together with its end.
    if (outcome !== undefined) readable.destroy();
    else if (writable.writableFinished) this.destroy();
    else writable.once('finish', () => this.destroy());
    readable.resume();
  }

  /** There is room for what comes. */
  resume(): void {
    this.#ends.readable.resume();
  }

  /** Breaks it off, without another word. */
  destroy(): void {
    this.#isOver = true;
    this.#ends.destroy();
  }

  async #onEnd(): Promise<void> {
    this.#readEnded = true;
    const outcome = (await this.#ends.outcome) ?? '';
    if (!this.#isOver && !this.#isStopped) this.#handlers.onEnd(outcome);
  }

  #onBroken(error: Error): void {
    if (this.#isOver) return;
    // A program that reads no more has not failed; a connection has.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE' && this.#ends.outcome !== undefined) {
      this.#handlers.onStop();
      return;
    }
    this.#isOver = true;
    this.#ends.destroy();
    this.#handlers.onBroken(error.message);
  }

  #onClose(): void {
    if (this.#readEnded || this.#ends.outcome !== undefined) return;
    this.#onBroken(new Error('the connection was broken off'));
  }
}

/** Ends a connection so that the far end sees that it was broken off, where that can be said. */
export function breakOff(stream: Readable & Writable): void {
  if (stream instanceof Socket) stream.resetAndDestroy();
  else stream.destroy();
}
