import { type Authority, type Clock, systemClock, type Timer } from '@manypath/core';
import { type AcceptedConnection, BulkListener } from '@manypath/mptcp';
import { Arrival } from './arrival.ts';
import type { ClientConnections } from './client-connections.ts';
import { FairQueue } from './fair-queue.ts';
import type { RelayLimits } from './limits.ts';

export interface DoorwayOptions {
  where: { host?: string; port: number };
  congestion: string | undefined;
  limits: Pick<RelayLimits, 'authenticateMs' | 'handshakesPerTurn' | 'partCheckMs'>;
  /** Where arrivals are counted, as strangers. */
  connections: ClientConnections;
  /** Gets those who are to be spoken to. */
  onHello: (arrival: Arrival) => void;
  clock?: Clock;
}

/**
 * Where connections come in. Those that bring nothing, or nothing of TLS, cost a descriptor and are gone again; for those who
 * bring the beginning of a handshake, which costs much, addresses take turns.
 */
export class Doorway {
  readonly #options: DoorwayOptions;
  readonly #clock: Clock;
  readonly #arrivals = new Set<Arrival>();
  /** Those that have brought a part of what is needed. The kernel cannot say when the rest is there. */
  readonly #parts = new Set<Arrival>();
  readonly #ready = new FairQueue<Arrival>();
  #listener: BulkListener | undefined;
  #isClosed = false;
  #check: Timer | undefined;
  #isServing = false;

  private constructor(options: DoorwayOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** @throws what `BulkListener.listen` throws */
  static async open(options: DoorwayOptions): Promise<Doorway> {
    const doorway = new Doorway(options);
    doorway.#listener = await doorway.#listenAt(options.where);
    return doorway;
  }

  #listenAt(where: DoorwayOptions['where']): Promise<BulkListener> {
    const { congestion } = this.#options;
    return BulkListener.listen({
      ...where,
      ...(congestion === undefined ? {} : { congestion }),
      onConnection: connection => this.#arrived(connection),
    });
  }

  /**
   * Listens anew on the same port, since a socket keeps the protocol that it was made with. Those who have come in stay.
   *
   * @throws what `BulkListener.listen` throws: then nobody comes in until it is called again
   */
  async listenAnew(): Promise<void> {
    const { address, port } = this.#listening.address;
    this.#listening.close();
    // Both families as before, or IPv4 alone where IPv6 is off.
    const listener = await this.#listenAt(address === '::' ? { port } : { host: address, port });
    if (this.#isClosed) listener.close();
    this.#listener = listener;
  }

  get address(): Authority {
    const { address, port } = this.#listening.address;
    return { host: address, port };
  }

  get info(): BulkListener['info'] {
    return this.#listening.info;
  }

  /** Lets nobody in any more, and ends those who were not spoken to yet. */
  close(): void {
    this.#isClosed = true;
    this.#listening.close();
    this.#check?.cancel();
    for (const arrival of this.#arrivals) {
      this.#options.connections.left(arrival);
      arrival.reset();
    }
  }

  get #listening(): BulkListener {
    if (this.#listener === undefined) throw new Error('It does not listen yet');
    return this.#listener;
  }

  #arrived(connection: AcceptedConnection): void {
    const arrival = new Arrival(connection, gone => this.#forget(gone), this.#clock);
    const brought = arrival.look();
    if (brought === 'nonsense') {
      arrival.reset();
      return;
    }
    this.#options.connections.arrived(arrival);
    this.#arrivals.add(arrival);
    this.#goOn(arrival, brought);
    this.#check ??= this.#clock.after(this.#options.limits.partCheckMs, () => this.#checkAll());
  }

  #goOn(arrival: Arrival, brought = arrival.look()): void {
    if (!this.#arrivals.has(arrival)) return;
    if (brought === 'nothing') {
      arrival.connection.whenReadable(() => this.#goOn(arrival));
    } else if (brought === 'part') {
      this.#parts.add(arrival);
    } else if (brought === 'nonsense') {
      this.#giveUp(arrival);
    } else {
      this.#parts.delete(arrival);
      this.#ready.add(arrival);
      this.#serveSoon();
    }
  }

  #giveUp(arrival: Arrival): void {
    this.#options.connections.left(arrival);
    arrival.reset();
  }

  #forget(arrival: Arrival): void {
    this.#arrivals.delete(arrival);
    this.#parts.delete(arrival);
    this.#ready.remove(arrival);
  }

  #serveSoon(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(() => this.#serve());
  }

  #serve(): void {
    this.#isServing = false;
    for (let turn = 0; turn < this.#options.limits.handshakesPerTurn; turn++) {
      const arrival = this.#ready.next();
      if (arrival === undefined) return;
      this.#forget(arrival);
      this.#options.onHello(arrival);
    }
    if (this.#ready.size > 0) this.#serveSoon();
  }

  #checkAll(): void {
    this.#check = undefined;
    const { limits } = this.#options;
    const longAgo = this.#clock.now() - limits.authenticateMs;
    for (const arrival of this.#arrivals) {
      if (arrival.since > longAgo) break;
      this.#giveUp(arrival);
    }
    for (const arrival of this.#parts) this.#goOn(arrival);
    if (this.#arrivals.size === 0) return;
    this.#check = this.#clock.after(limits.partCheckMs, () => this.#checkAll());
  }
}
