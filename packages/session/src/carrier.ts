import { FrameReader, type FrameSink } from './frame-reader.ts';
import { encodeNumber, frameTypes } from './frames.ts';
import type { SessionLimits } from './limits.ts';
import { type SentFrame, SentFrames, sizeOf } from './sent-frames.ts';

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

/**
 * `open`; `left`: this end uses it no more, and it is not known what of it arrived at the other one; `settled`: that is known, and what
 * did not arrive goes by another one.
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
  readonly #sent = new SentFrames();
  /** Frames that wait for it to take more, or to be settled. Others that are kept come after them. */
  #waiting: SentFrame[] = [];
  #firstWaiting = 0;
  #received = 0;
  #owed = 0;
  #owedPong: number | undefined;
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
      if (!unreliableTypes.has(type)) this.#owed += bytes;
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

  /** Whether so much came that it is to be acknowledged without delay. */
  get mustAcknowledge(): boolean {
    return this.#owed >= this.#limits.acknowledgeBytes;
  }

  /** Whether frames wait to be acknowledged. */
  get isOwed(): boolean {
    return !this.#sent.isEmpty;
  }

  /** Whether it takes no more just now. */
  get isFull(): boolean {
    return this.sink.isFull || this.#waiting.length > 0;
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  read(chunk: Uint8Array, now: number): void {
    this.heardAt = now;
    this.bytesIn += chunk.length;
    this.#reader.push(chunk);
  }

  /** Sends a frame that is sent again if this carrier is lost, after those that were given to it before. */
  send(frame: SentFrame): void {
    if (this.state === 'open' && this.#waiting.length === 0) this.sendFirst(frame);
    else this.#waiting.push(frame);
  }

  /** The same, before those that wait. */
  sendFirst(frame: SentFrame): void {
    this.#add(frame);
    this.#sent.add(frame, this.bytesOut);
    this.#sendIfMuch();
  }

  /** Sends a frame once, before those that wait. */
  sendOnce(frame: Uint8Array): void {
    this.#add({ head: frame, rest: undefined, release: undefined });
    this.#sendIfMuch();
  }

  /** Sends what another carrier did not bring, as fast as this one takes it. */
  takeOver(frames: readonly SentFrame[]): void {
    for (const frame of frames) this.#waiting.push(frame);
    this.sendWaiting();
  }

  /** Sends what waits, until it takes no more. */
  sendWaiting(): void {
    while (this.state === 'open' && !this.sink.isFull) {
      const frame = this.#waiting[this.#firstWaiting];
      if (frame === undefined) break;
      this.#firstWaiting += 1;
      this.sendFirst(frame);
    }
    if (this.#firstWaiting < this.#waiting.length) return;
    this.#waiting = [];
    this.#firstWaiting = 0;
  }

  /** Answers a ping; the last one only, while it takes no more. */
  pong(nonce: number): void {
    this.#owedPong = nonce;
    if (!this.sink.isFull) this.#sendPong();
  }

  /** Sends what was added, with the acknowledgement that is due. */
  flush(): void {
    if (this.#owedPong !== undefined && !this.sink.isFull) this.#sendPong();
    if (this.#owed > 0) this.#acknowledge();
    if (this.#batch.length > 0) this.#sendBatch();
  }

  /** The other end has so many bytes of whole frames. @returns What the frames cost that need not be kept any more. */
  acknowledged(count: number): number {
    return this.#sent.acknowledge(count);
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
    const frames = this.#sent.take();
    for (const frame of this.#waiting.slice(this.#firstWaiting)) frames.push(frame);
    this.#waiting = [];
    this.#firstWaiting = 0;
    return frames;
  }

  #add(frame: SentFrame): void {
    const bytes = sizeOf(frame);
    this.#batch.push(frame.head);
    if (frame.rest !== undefined) this.#batch.push(frame.rest);
    this.bytesOut += bytes;
    this.#batchBytes += bytes;
  }

  /** What is much does not wait for the end of the turn. */
  #sendIfMuch(): void {
    if (this.#batchBytes >= this.#limits.dataBytes) this.#sendBatch();
  }

  #sendBatch(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    this.sink.send(batch);
  }

  #sendPong(): void {
    if (this.#owedPong === undefined) return;
    const nonce = this.#owedPong;
    this.#owedPong = undefined;
    this.sendOnce(encodeNumber(frameTypes.pong, 0, nonce));
  }

  #acknowledge(): void {
    this.#owed = 0;
    this.sendOnce(encodeNumber(frameTypes.acknowledge, 0, this.#received));
  }
}

/** Types of frames that are not sent again when they are lost. */
const unreliableTypes: ReadonlySet<number> = new Set([
  frameTypes.acknowledge,
  frameTypes.ping,
  frameTypes.pong,
  frameTypes.goAway,
  frameTypes.goodbye,
  frameTypes.datagram,
]);
