import type { SessionLimits } from './limits.ts';

/** A datagram of a flow that waits for a carrier. */
export interface WaitingDatagram {
  readonly flow: number;
  readonly bytes: Uint8Array;
  readonly at: number;
}

/** Datagrams that no carrier took: the newest leave first, and none after its time. */
export class Datagrams {
  readonly #limits: Pick<SessionLimits, 'datagrams' | 'datagramMs'>;
  #waiting: WaitingDatagram[] = [];

  constructor(limits: Pick<SessionLimits, 'datagrams' | 'datagramMs'>) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.length;
  }

  add(datagram: WaitingDatagram): void {
    this.#waiting.push(datagram);
    if (this.#waiting.length > this.#limits.datagrams) this.#waiting.shift();
  }

  /** The next to be sent; `undefined` when none is left that is still worth it. */
  take(now: number): WaitingDatagram | undefined {
    const newest = this.#waiting.pop();
    if (newest !== undefined && now - newest.at <= this.#limits.datagramMs) return newest;
    this.#waiting = [];
    return undefined;
  }
}
