import type { Readable, Writable } from 'node:stream';
import type { ReadableLeg } from '@manypath/forward';
import type { ByteCount } from '../counted-stream.ts';

/** What a stream leads to: a connection, or a program. */
export interface LegEnds {
  readonly reader: ReadableLeg<Readable>;
  readonly writable: Writable;
  /** Of a program: fulfilled when it has ended, with how. Default: it is a connection. */
  readonly outcome?: Promise<string>;
  /** Breaks it off. */
  destroy(): void;
  /** The same for what was ended in order and may have something to do with what it was sent last. Default: nothing. */
  retire?(): void;
}

/** What a {@link StreamLeg} that is closed may take to deliver: see `streamLingerMs` and `streamLingerBytes` of the gateway. */
export interface LingerLimits {
  readonly streamLingerMs: number;
  readonly streamLingerBytes: number;
}

/** What a {@link StreamLeg} tells of its far end. */
export interface LegHandlers {
  /** @returns Whether these bytes are out of the way, so that their memory is free; else `resume` says when. */
  onData(bytes: Uint8Array): boolean;
  /** What was written is out of the way. */
  onTaken(bytes: Uint8Array): void;
  /** Nothing more comes. */
  onEnd(): void;
  /** The program has ended. */
  onExit(outcome: string): void;
  /** It reads nothing more, and may still send. */
  onStop(): void;
  /** It broke. */
  onBroken(reason: string): void;
}

/** Moves bytes between a stream and what it leads to, with back-pressure both ways. */
export class StreamLeg {
  readonly #ends: LegEnds;
  readonly #handlers: LegHandlers;
  readonly #limits: LingerLimits;
  #bytesIn = 0;
  #bytesOut = 0;
  #readEnded = false;
  #hasExited = false;
  #isWaiting = false;
  #isStopped = false;
  /** Bytes that came unwanted since everything was written. */
  #unwanted: number | undefined;
  #isOver = false;

  constructor(ends: LegEnds, handlers: LegHandlers, limits: LingerLimits) {
    this.#limits = limits;
    this.#ends = ends;
    this.#handlers = handlers;
    const { reader, writable, outcome } = ends;
    const readable = reader.stream;
    readable.once('end', () => this.#onEnd());
    void outcome?.then(how => this.#onExit(how));
    for (const end of new Set<Readable | Writable>([readable, writable])) {
      end.on('error', (error: Error) => this.#onBroken(error));
      end.once('close', () => this.#onClose());
    }
    reader.start(chunk => this.#onChunk(chunk));
  }

  get count(): ByteCount {
    return { bytesIn: this.#bytesIn, bytesOut: this.#bytesOut };
  }

  get isProgram(): boolean {
    return this.#ends.outcome !== undefined;
  }

  /** Whether both directions have ended, and the program that it leads to as well, or it broke. */
  get isOver(): boolean {
    const { reader, writable, outcome } = this.#ends;
    const isAlive = outcome !== undefined && !this.#hasExited;
    return this.#isOver || (reader.stream.closed && writable.closed && !isAlive);
  }

  /** Whether nothing is wanted from it any more but to deliver what it has. */
  get isDelivering(): boolean {
    return this.#ends.writable.writableEnded && (this.#readEnded || this.#isStopped);
  }

  write(bytes: Uint8Array): void {
    this.#bytesOut += bytes.length;
    this.#ends.writable.write(bytes, error => {
      if (!error) this.#handlers.onTaken(bytes);
    });
  }

  end(): void {
    this.#ends.writable.end();
  }

  /** What comes is not wanted any more. What was written is still delivered. */
  stopReading(): void {
    const { reader, writable, outcome } = this.#ends;
    this.#isStopped = true;
    // A program is told by its pipe; a connection can be told only by breaking it off, when what was written has arrived.
    if (outcome !== undefined) reader.stream.destroy();
    else if (writable.writableFinished) this.#linger();
    else writable.once('finish', () => this.#linger());
    this.resume();
  }

  #linger(): void {
    this.#unwanted = 0;
    const timer = setTimeout(() => this.destroy(), this.#limits.streamLingerMs);
    this.#ends.writable.once('close', () => clearTimeout(timer));
  }

  /** What it told of last is out of the way. */
  resume(): void {
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#ends.reader.resume();
  }

  /** Breaks it off, without another word. */
  destroy(): void {
    this.#isOver = true;
    this.#ends.destroy();
  }

  /** Nobody wants anything of it any more, and it delivers what it has: it may, for its time. */
  retire(): void {
    this.#ends.retire?.();
  }

  #onChunk(chunk: Buffer): boolean {
    if (this.#isStopped) {
      if (this.#unwanted !== undefined) this.#unwanted += chunk.length;
      if ((this.#unwanted ?? 0) > this.#limits.streamLingerBytes) this.destroy();
      return true;
    }
    this.#bytesIn += chunk.length;
    this.#isWaiting = true;
    const isFree = this.#handlers.onData(chunk);
    if (isFree) this.#isWaiting = false;
    return isFree;
  }

  #onEnd(): void {
    this.#readEnded = true;
    if (!this.#isOver && !this.#isStopped) this.#handlers.onEnd();
  }

  #onExit(outcome: string): void {
    this.#hasExited = true;
    if (!this.#isOver) this.#handlers.onExit(outcome);
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
