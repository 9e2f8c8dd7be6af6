import type { Clock } from '@manypath/core';
import { Carrier, type CarrierSink } from './carrier.ts';
import { SessionProtocolError } from './errors.ts';
import type { FrameSink } from './frame-reader.ts';
import { type CarrierLeft, encodeLeft, frameTypes } from './frames.ts';
import { GoneCarriers } from './gone-carriers.ts';
import type { SessionLimits } from './limits.ts';
import { costOf, type SentFrame } from './sent-frames.ts';

export interface CarrierSetOptions {
  readonly limits: SessionLimits;
  readonly clock: Clock;
  /** Gets what comes on a carrier. */
  readonly readerOf: (carrier: () => Carrier) => FrameSink;
  /** Something waits to be sent. */
  readonly onBatch: () => void;
  /** A carrier is not used any more: what rode on it waits until it is settled. */
  readonly onLeave: (carrier: Carrier) => void;
  /** The same, and its connection has yet to be closed. */
  readonly onLeft: (carrier: Carrier) => void;
  /** What was sent on a carrier has arrived, or goes by another one: that one. */
  readonly onSettled: (left: Carrier, present: Carrier) => void;
  /** Less is kept than may be, after it had been as much. */
  readonly onRoom: () => void;
}

/** The carriers of a session: how they come, how they are left, and how what did not arrive goes by another one. */
export class CarrierSet {
  readonly #options: CarrierSetOptions;
  /** Those that are open or not settled, in the order in which they came. */
  readonly #carriers = new Map<number, Carrier>();
  readonly #gone: GoneCarriers;
  /** Numbers that were given up, until the other end can be told. */
  readonly #untold: number[] = [];
  #kept = 0;
  #isOver = false;
  #aloneSince: number;

  constructor(options: CarrierSetOptions) {
    this.#options = options;
    this.#gone = new GoneCarriers(options.limits.goneCarriers);
    this.#aloneSince = options.clock.now();
  }

  /** In the order in which they came. */
  get open(): Carrier[] {
    return [...this.#carriers.values()].filter(({ state }) => state === 'open');
  }

  /** Since when there has been none, by the clock; `undefined` while there is one. */
  get aloneSince(): number | undefined {
    return this.liveliest() === undefined ? this.#aloneSince : undefined;
  }

  /** What frames cost that are kept because they may have to be sent again. Bytes, about. */
  get keptBytes(): number {
    return this.#kept;
  }

  /** Whether so much is kept that nothing more is to be taken from senders. */
  get isFull(): boolean {
    return this.#kept >= this.#options.limits.unacknowledgedBytes;
  }

  /** Whether it is so much that the other end cannot mean to acknowledge it. */
  get isOverfull(): boolean {
    return this.#kept >= this.#options.limits.unacknowledgedBytes * 2;
  }

  /** The one that came first of those that are open and whose connections take more. */
  firstWithRoom(): Carrier | undefined {
    for (const carrier of this.#carriers.values()) {
      if (carrier.state === 'open' && !carrier.sink.isFull) return carrier;
    }
    return undefined;
  }

  /** The open one that something came on last. */
  liveliest(): Carrier | undefined {
    let liveliest: Carrier | undefined;
    for (const carrier of this.#carriers.values()) {
      if (carrier.state !== 'open') continue;
      if (liveliest === undefined || carrier.heardAt >= liveliest.heardAt) liveliest = carrier;
    }
    return liveliest;
  }

  /** The open one on which the fewest tunnels ride. */
  leastUsed(): Carrier | undefined {
    let least: Carrier | undefined;
    for (const carrier of this.#carriers.values()) {
      if (carrier.state === 'open' && (least === undefined || carrier.tunnels < least.tunnels))
        least = carrier;
    }
    return least;
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`, its number is taken or was given up */
  attach(id: number, sink: CarrierSink): Carrier {
    const { limits, clock, readerOf } = this.#options;
    if (this.#carriers.has(id) || !this.#gone.mayCome(id)) {
      throw new SessionProtocolError(`carrier ${id} is known already`);
    }
    const reads = readerOf(() => carrier);
    const carrier: Carrier = new Carrier(id, sink, reads, limits, clock.now());
    this.#carriers.set(id, carrier);
    for (const given of this.#untold.splice(0))
      this.#tell(frameTypes.left, { carrier: given, received: 0 }, carrier);
    for (const other of this.#carriers.values()) if (other.state === 'left') this.#tellLeft(other, carrier);
    this.#makeRoom(carrier);
    return carrier;
  }

  /** A carrier of this end may or may not have come about at the other one, and is not used. */
  giveUp(id: number): void {
    if (this.#carriers.has(id) || this.#gone.receivedOf(id) !== undefined) return;
    this.#gone.add(id, 0);
    const present = this.liveliest();
    if (present !== undefined) this.#tell(frameTypes.left, { carrier: id, received: 0 }, present);
    else this.#untold.push(id);
    if (this.#untold.length > this.#options.limits.goneCarriers) this.#untold.shift();
  }

  /** Sends a frame that is sent again when the carrier is lost, in its order; one that was left keeps it until it is settled. */
  send(carrier: Carrier, frame: SentFrame): void {
    this.#keep(frame, carrier);
    carrier.send(frame);
    this.#options.onBatch();
  }

  /** Sends a frame once. */
  sendOnce(carrier: Carrier, frame: Uint8Array): void {
    carrier.sendOnce(frame);
    this.#options.onBatch();
  }

  /** @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL` */
  acknowledged(carrier: Carrier, count: number): void {
    checkCount(carrier, count);
    const wasFull = this.isFull;
    const freed = carrier.acknowledged(count);
    if (this.#isOver) return;
    this.#kept -= freed;
    if (wasFull && !this.isFull) this.#options.onRoom();
  }

  leave(carrier: Carrier): void {
    if (carrier.state !== 'open') return;
    this.#stopUsing(carrier);
    const present = this.liveliest();
    if (present === undefined) this.#aloneSince = this.#options.clock.now();
    else this.#tellLeft(carrier, present);
  }

  /**
   * The other end has left a carrier: so does this one, and sends by the present one what did not arrive. It is always answered, by a
   * carrier that works: what was told before may be on its way by one that does not.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`
   */
  takeLeft(present: Carrier, { carrier: id, received }: CarrierLeft): void {
    const left = this.#carriers.get(id);
    if (left === present) throw new SessionProtocolError('a carrier tells that it was left itself');
    if (left !== undefined) checkCount(left, received);
    const wasOpen = left?.state === 'open';
    if (left !== undefined && wasOpen) this.#stopUsing(left);
    const came = left?.received ?? this.#gone.receivedOf(id);
    this.#tell(frameTypes.settled, { carrier: id, received: came ?? 0 }, present);
    if (left !== undefined) this.#settle(left, present, received);
    else if (came === undefined) this.#gone.add(id, 0);
    if (left !== undefined && wasOpen) this.#options.onLeft(left);
  }

  /**
   * The other end answers that a carrier was left.
   *
   * @throws SessionProtocolError `MANYPATH_SESSION_PROTOCOL`
   */
  takeSettled(present: Carrier, { carrier: id, received }: CarrierLeft): void {
    const left = this.#carriers.get(id);
    if (left === undefined) return;
    if (left.state === 'open') throw new SessionProtocolError('it settles a carrier that was not left');
    this.#settle(left, present, received);
  }

  flush(): void {
    for (const carrier of this.#carriers.values()) if (carrier.state === 'open') carrier.flush();
  }

  /** Lets go of all. @returns Those that were open. */
  clear(): Carrier[] {
    const { open } = this;
    this.#isOver = true;
    this.#kept = 0;
    const carriers = [...this.#carriers.values()];
    this.#carriers.clear();
    for (const carrier of carriers) {
      carrier.leave();
      for (const { release } of carrier.takeUnacknowledged()) release?.();
    }
    return open;
  }

  #stopUsing(carrier: Carrier): void {
    carrier.leave();
    this.#options.onLeave(carrier);
  }

  /**
   * What did not arrive goes by another one. Frames that are sent twice do no harm: each says what holds, or at which offset it is.
   */
  #settle(left: Carrier, present: Carrier, received: number): void {
    this.acknowledged(left, received);
    if (this.#carriers.get(left.id) !== left) return;
    left.state = 'settled';
    this.#carriers.delete(left.id);
    this.#gone.add(left.id, left.received);
    this.#noteSending(present);
    present.takeOver(left.takeUnacknowledged());
    this.#options.onBatch();
    this.#options.onSettled(left, present);
  }

  /** There are too many: the oldest of those that were left is settled unheard, or the one is left from which nothing came longest. */
  #makeRoom(newest: Carrier): void {
    while (this.#carriers.size > Math.max(1, this.#options.limits.carriers)) {
      const others = [...this.#carriers.values()].filter(other => other !== newest);
      const left = others.find(({ state }) => state === 'left');
      const silent = others.reduce((one, other) => (other.heardAt < one.heardAt ? other : one));
      const goes = left ?? silent;
      if (left === undefined) {
        this.#stopUsing(goes);
        this.#tellLeft(goes, newest);
      }
      this.#settle(goes, newest, 0);
      if (left === undefined) this.#options.onLeft(goes);
    }
  }

  #tellLeft({ id, received }: Carrier, present: Carrier): void {
    this.#tell(frameTypes.left, { carrier: id, received }, present);
  }

  /** Goes before what waits, so that the other end sends again what is missing. */
  #tell(type: typeof frameTypes.left | typeof frameTypes.settled, left: CarrierLeft, present: Carrier): void {
    const frame = { head: encodeLeft(type, left), rest: undefined, release: undefined };
    this.#keep(frame, present);
    present.sendFirst(frame);
    this.#options.onBatch();
  }

  #keep(frame: SentFrame, carrier: Carrier): void {
    this.#kept += costOf(frame);
    this.#noteSending(carrier);
  }

  #noteSending(carrier: Carrier): void {
    if (!carrier.isOwed) carrier.sentAt = this.#options.clock.now();
  }
}

function checkCount({ bytesOut }: Carrier, count: number): void {
  if (count > bytesOut) throw new SessionProtocolError('it acknowledges what was never sent');
}
