import type { Duplex } from 'node:stream';
import { type Authority, type Clock, formatAuthority, systemClock, type Timer } from '@manypath/core';
import type { ForwardLimits } from './limits.ts';
import { OriginConnection } from './origin-connection.ts';

/** Opens a way to a target. Rejections tell the client why, by {@link statusOf}. */
export type Dial = (target: Authority, context: { signal: AbortSignal }) => Promise<Duplex>;

interface Idle {
  readonly connection: OriginConnection;
  readonly place: string;
  readonly timer: Timer;
}

/**
 * The connections to origins of one client, kept for its next requests: few to one origin, few in all, for seconds only, and none
 * that the origin has closed.
 */
export class OriginPool {
  readonly #dial: Dial;
  readonly #limits: ForwardLimits;
  readonly #clock: Clock;
  /** The one that has waited longest first. */
  readonly #idle = new Set<Idle>();
  readonly #closing = new AbortController();
  /** Connections tell the origin who the client is: none is exchanged for a new one without need. */
  isPersonal = false;

  constructor(dial: Dial, limits: ForwardLimits, clock: Clock = systemClock) {
    this.#dial = dial;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Connections that wait for a request. */
  get idle(): number {
    return this.#idle.size;
  }

  /**
   * A connection to `target`, kept or new.
   *
   * @param fresh Whether it must be new. Default false.
   * @throws what the dialling throws; the reason of `signal`
   */
  async take(target: Authority, signal: AbortSignal, { fresh = false } = {}): Promise<OriginConnection> {
    if (!fresh && this.#find(target) !== undefined) await kernelAsked();
    const kept = fresh ? undefined : this.#find(target);
    if (kept !== undefined) {
      this.#forget(kept);
      return kept.connection;
    }
    const stream = await this.#dial(target, { signal: AbortSignal.any([signal, this.#closing.signal]) });
    const connection = new OriginConnection(stream);
    if (signal.aborted || this.#closing.signal.aborted) {
      connection.destroy();
      throw signal.reason ?? this.#closing.signal.reason;
    }
    return connection;
  }

  /** Keeps a connection on which a request is over, or closes it. */
  give(target: Authority, connection: OriginConnection): void {
    if (!connection.reusable || this.#closing.signal.aborted) {
      connection.destroy();
      return;
    }
    const place = formatAuthority(target);
    this.#makeRoom(place);
    const timer = this.#clock.after(this.#limits.idleOriginMs, () => this.#close(idle));
    const idle: Idle = { connection, place, timer };
    this.#idle.add(idle);
    connection.rest(() => this.#forget(idle));
  }

  /** Closes all that waits, and gives up dialling. */
  close(): void {
    this.#closing.abort();
    for (const idle of [...this.#idle]) this.#close(idle);
  }

  /** The one that was used last: it is the least likely to be closed just now. */
  #find(target: Authority): Idle | undefined {
    const place = formatAuthority(target);
    return [...this.#idle].findLast(idle => idle.place === place && idle.connection.reusable);
  }

  #makeRoom(place: string): void {
    const { idleOriginConnections, idleConnections } = this.#limits;
    const [oldest] = this.#idle;
    if (oldest !== undefined && this.#idle.size >= idleConnections) this.#close(oldest);
    const same = [...this.#idle].filter(idle => idle.place === place);
    if (same[0] !== undefined && same.length >= idleOriginConnections) this.#close(same[0]);
  }

  #close(idle: Idle): void {
    this.#forget(idle);
    idle.connection.destroy();
  }

  #forget(idle: Idle): void {
    idle.timer.cancel();
    this.#idle.delete(idle);
  }
}

/**
 * What came for kept connections while this program was busy is seen first: one of them may have been closed. Of two turns of the
 * event loop the second begins behind a look at all descriptors.
 */
async function kernelAsked(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setImmediate(resolve));
}
