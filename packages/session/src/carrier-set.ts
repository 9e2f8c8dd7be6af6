import type { Clock } from '@manypath/core';
import { Carrier, type CarrierSink, type SentFrame, sizeOf } from './carrier.ts';
import { SessionProtocolError } from './errors.ts';
import type { FrameSink } from './frame-reader.ts';
import { type CarrierLeft, encodeLeft } from './frames.ts';
import type { SessionLimits } from './limits.ts';

export interface CarrierSetOptions {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** Whether carriers are made at this end, so that those that the other end speaks of are known here. */
  readonly makes: boolean;
  /** Gets what comes on a carrier. */
  readonly readerOf: (carrier: () => Carrier) => FrameSink;
  /** Something waits to be sent. */
  readonly onBatch: () => void;
  /** A carrier is not used any more: what rode on it waits until it is settled. */
  readonly onLeave: (carrier: Carrier) => void;
  /** The other end was the first to leave it. */
  readonly onLeft: (carrier: Carrier) => void;
  /** What was sent on a carrier has arrived, or goes by another one: that one. */
  readonly onSettled: (left: Carrier, present: Carrier) => void;
}

/** The carriers of a session: how they come, how they are left, and how what did not arrive goes by another one, each frame once. */
export class CarrierSet {
  readonly #options: CarrierSetOptions;
  readonly #carriers = new Map<number, Carrier>();
  /** Numbers that the other end gave and gave up before anything was known of them here. */
  readonly #givenUp = new Set<number>();
  /** What belongs to no carrier, until there is one. */
  #homeless: SentFrame[] = [];
  #unacknowledged = 0;
  #aloneSince: number;

  constructor(options: CarrierSetOptions) {
    this.#options = options;
    this.#aloneSince = options.clock.now();
  }

  /** In the order in which they came. */
  get open(): Carrier[] {
    return [...this.#carriers.values()].filter(({ state }) => state === 'open');
  }

  /** Since when there has been none, by the clock; `undefined` while there is one. */
  get aloneSince(): number | undefined {
    return this.first() === undefined ? this.#aloneSince : undefined;
  }

  /** Bytes that are kept because they may have to be sent again. */
  get unacknowledged(): number {
    return this.#unacknowledged;
  }

  /** The one that came first of those that are open. */
  first(): Carrier | undefined {
    for (const carrier of this.#carriers.values()) if (carrier.state === 'open') return carrier;
    return undefined;
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, its number is taken, or there are too many */
  attach(id: number, sink: CarrierSink): Carrier {
    const { limits, clock, readerOf } = this.#options;
    if (this.#carriers.has(id) || this.#givenUp.has(id)) {
      throw new SessionProtocolError(`carrier ${id} is known already`);
    }
    if (this.#carriers.size >= limits.carriers) throw new SessionProtocolError('there are too many carriers');
    const carrier: Carrier = new Carrier(
      id,
      sink,
      readerOf(() => carrier),
      limits,
      clock.now(),
    );
    this.#carriers.set(id, carrier);
    for (const other of this.#carriers.values()) if (other.state === 'left') this.#tellLeft(other, carrier);
    for (const frame of this.#homeless.splice(0)) this.#sendKept(carrier, frame);
    return carrier;
  }

  /** A carrier of this end may or may not have come about at the other one, and is not used. */
  giveUp(id: number): void {
    if (this.#carriers.has(id)) return;
    const { limits, clock, readerOf } = this.#options;
    const carrier: Carrier = new Carrier(
      id,
      nowhere,
      readerOf(() => carrier),
      limits,
      clock.now(),
    );
    carrier.leave();
    this.#carriers.set(id, carrier);
    const present = this.first();
    if (present !== undefined) this.#tellLeft(carrier, present);
  }

  /** Sends a frame. @param again Whether it is to be sent again when the carrier is lost. */
  send(carrier: Carrier, frame: SentFrame, again: boolean): void {
    if (again) {
      this.#unacknowledged += sizeOf(frame);
      if (!carrier.isOwed) carrier.sentAt = this.#options.clock.now();
    }
    carrier.add(frame, again);
    this.#options.onBatch();
  }

  /** Keeps a frame until it is known what arrived on a carrier that was left; by default, until there is a carrier. */
  keep(frame: SentFrame, left?: Carrier): void {
    this.#unacknowledged += sizeOf(frame);
    if (left === undefined || left.state === 'settled') this.#homeless.push(frame);
    else left.keep(frame);
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  acknowledged(carrier: Carrier, count: number): void {
    if (count > carrier.bytesOut) throw new SessionProtocolError('it acknowledges what was never sent');
    this.#unacknowledged -= carrier.acknowledged(count);
  }

  leave(carrier: Carrier): void {
    if (carrier.state !== 'open') return;
    carrier.leave();
    this.#options.onLeave(carrier);
    const present = this.first();
    if (present === undefined) this.#aloneSince = this.#options.clock.now();
    else this.#tellLeft(carrier, present);
  }

  /**
   * The other end has left a carrier: so does this one, and sends by the present one what did not arrive.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`
   */
  takeLeft(present: Carrier, { carrier: id, received }: CarrierLeft): void {
    const left = this.#carriers.get(id);
    if (left === undefined) {
      if (!this.#options.makes) this.#neverCame(id, present);
      return;
    }
    if (left === present) throw new SessionProtocolError('a carrier tells that it was left itself');
    if (left.state === 'open') {
      left.leave();
      this.#options.onLeave(left);
      this.#tellLeft(left, present);
      this.#options.onLeft(left);
    }
    this.acknowledged(left, received);
    left.state = 'settled';
    this.#carriers.delete(id);
    for (const frame of left.takeUnacknowledged()) this.#sendKept(present, frame);
    this.#options.onSettled(left, present);
  }

  flush(): void {
    for (const carrier of this.#carriers.values()) if (carrier.state === 'open') carrier.flush();
  }

  /** Lets go of all. @returns Those that were open. */
  clear(): Carrier[] {
    const { open } = this;
    for (const carrier of this.#carriers.values()) {
      for (const { release } of carrier.takeUnacknowledged()) release?.();
      carrier.leave();
    }
    for (const { release } of this.#homeless.splice(0)) release?.();
    this.#carriers.clear();
    this.#unacknowledged = 0;
    return open;
  }

  /** It was made there and never heard of here; should it come after all, it is not taken. */
  #neverCame(id: number, present: Carrier): void {
    if (this.#givenUp.size >= this.#options.limits.carriers) {
      const [oldest] = this.#givenUp;
      if (oldest !== undefined) this.#givenUp.delete(oldest);
    }
    this.#givenUp.add(id);
    this.send(present, whole(encodeLeft({ carrier: id, received: 0 })), true);
  }

  #tellLeft({ id, received }: Carrier, present: Carrier): void {
    this.send(present, whole(encodeLeft({ carrier: id, received })), true);
  }

  /** Sends what was counted before. */
  #sendKept(carrier: Carrier, frame: SentFrame): void {
    carrier.add(frame, true);
    this.#options.onBatch();
  }
}

/** A frame in one piece. */
export function whole(head: Uint8Array, tunnel = 0): SentFrame {
  return { tunnel, head, rest: undefined, release: undefined };
}

const nowhere: CarrierSink = { send() {}, isFull: true };
