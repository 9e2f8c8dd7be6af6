import { FrameReader, type FrameSink } from './frame-reader.ts';
import { encodeNumber, frameTypes } from './frames.ts';
import type { SessionLimits } from './limits.ts';

/** The connection below a carrier. */
export interface CarrierSink {
  /**
   * Sends pieces in their order, as one write where that is possible. Pieces are not changed as long as they may have to be sent
   * again.
   */
  send(pieces: readonly Uint8Array[]): void;
  /** Whether more waits to be sent than is good. When that is over, {@link Session.drained} is to be called. */
  readonly isFull: boolean;
}

/** A frame that is sent again over another carrier when this one is lost before it was acknowledged. */
export interface SentFrame {
  readonly tunnel: number;
  readonly head: Uint8Array;
  /** What comes after the head, when that is not in one piece with it. */
  readonly rest: Uint8Array | undefined;
  /** To be called when the bytes are not needed any more. */
  readonly release: (() => void) | undefined;
}

/**
 * `open`; `left`: one end uses it no more, and what it had sent is not settled; `settled`: both know what arrived, and what did
 * not goes by another one.
 */
export type CarrierState = 'open' | 'left' | 'settled';

/** One connection between the two ends of a session, and what was sent over it and not acknowledged. */
export class Carrier {
  /** Its number in the session; the gateway gives it. */
  readonly id: number;
  readonly sink: CarrierSink;
  state: CarrierState = 'open';
  /** When something last came, by the clock. */
  heardAt: number;
  /** When the first of the frames was sent that are not acknowledged, by the clock; about. */
  sentAt: number;
  /** Tunnels that ride on it. */
  tunnels = 0;
  /** Bytes both ways, for those who choose among carriers. */
  bytesIn = 0;
  bytesOut = 0;
  readonly #reader: FrameReader;
  readonly #limits: SessionLimits;
  /** Frames that are sent and not acknowledged, with the count of bytes at their ends; those before `#first` are. */
  readonly #sent: (SentFrame | undefined)[] = [];
  readonly #ends: number[] = [];
  #first = 0;
  #received = 0;
  #owed = 0;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;

  constructor(id: number, sink: CarrierSink, reads: FrameSink, limits: SessionLimits, now: number) {
    this.id = id;
    this.sink = sink;
    this.heardAt = now;
    this.sentAt = now;
    this.#limits = limits;
    this.#reader = new FrameReader(reads, limits, (bytes, type) => {
      this.#received += bytes;
      if (!isUnreliable(type)) this.#owed += bytes;
    });
  }

  /** Bytes of whole frames that came. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that came, that the other end keeps, and that were not acknowledged. */
  get unacknowledged(): number {
    return this.#owed;
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  read(chunk: Uint8Array, now: number): void {
    this.heardAt = now;
    this.bytesIn += chunk.length;
    this.#reader.push(chunk);
  }

  /** Whether frames wait to be acknowledged. */
  get isOwed(): boolean {
    return this.#first < this.#sent.length;
  }

  /** Whether it takes no more just now. */
  get isFull(): boolean {
    return this.sink.isFull;
  }

  /**
   * Adds a frame to what leaves at the end of the turn, or at once when that becomes much.
   *
   * @param again Whether it is to be sent again if this carrier is lost.
   */
  add(frame: SentFrame, again: boolean): void {
    const bytes = sizeOf(frame);
    this.#batch.push(frame.head);
    if (frame.rest !== undefined) this.#batch.push(frame.rest);
    this.bytesOut += bytes;
    this.#batchBytes += bytes;
    if (again) {
      this.#sent.push(frame);
      this.#ends.push(this.bytesOut);
    }
    if (this.#batchBytes >= this.#limits.dataBytes) this.#sendBatch();
  }

  /** Keeps a frame that is to be sent when it is known what arrived of those before it. */
  keep(frame: SentFrame): void {
    this.#sent.push(frame);
    this.#ends.push(Number.POSITIVE_INFINITY);
  }

  /** Sends what was added, with the acknowledgement that is due. */
  flush(): void {
    if (this.unacknowledged > 0) this.#acknowledge();
    if (this.#batch.length > 0) this.#sendBatch();
  }

  #sendBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.sink.send(batch);
  }

  /** Whether so much came that it is to be acknowledged without delay. */
  get mustAcknowledge(): boolean {
    return this.unacknowledged >= this.#limits.acknowledgeBytes;
  }

  #acknowledge(): void {
    this.#owed = 0;
    const head = encodeNumber(frameTypes.acknowledge, 0, this.#received);
    this.add({ tunnel: 0, head, rest: undefined, release: undefined }, false);
  }

  /**
   * The other end has so many bytes of whole frames. @returns Bytes of frames that need not be kept any more.
   */
  acknowledged(count: number): number {
    let freed = 0;
    let first = this.#first;
    while (first < this.#ends.length && (this.#ends[first] ?? 0) <= count) {
      const frame = this.#sent[first];
      this.#sent[first] = undefined;
      if (frame !== undefined) {
        freed += sizeOf(frame);
        frame.release?.();
      }
      first += 1;
    }
    this.#first = first;
    if (first > 256 && first * 2 > this.#ends.length) {
      this.#sent.splice(0, first);
      this.#ends.splice(0, first);
      this.#first = 0;
    }
    return freed;
  }

  /** Nothing is read from it nor sent on it any more. */
  leave(): void {
    this.state = 'left';
    this.#batch = [];
    this.#batchBytes = 0;
    this.#reader.stop();
  }

  /** Hands over what did not arrive, in its order. */
  takeUnacknowledged(): SentFrame[] {
    const frames = this.#sent.slice(this.#first).filter(frame => frame !== undefined);
    this.#sent.length = 0;
    this.#ends.length = 0;
    this.#first = 0;
    return frames;
  }
}

/** Whether a frame is not sent again when it is lost. */
function isUnreliable(type: number): boolean {
  return (type >= frameTypes.acknowledge && type <= frameTypes.pong) || type === frameTypes.datagram;
}

/** Bytes that are kept for a frame. */
export function sizeOf({ head, rest }: SentFrame): number {
  return head.length + (rest?.length ?? 0);
}
