import type { SubflowInfo } from '@manypath/mptcp';

/** How fast something came and went over a path for a while, in Mbit/s. */
export interface CarriedRate {
  readonly downMbps: number;
  readonly upMbps: number;
}

/** Over so long at least, in milliseconds: in less, what was held back for a moment looks like a fast path. */
const spanMs = 1000;
/** Looks that are farther apart say nothing of a rate, in milliseconds. */
const spanMostMs = 2500;

interface Begun {
  readonly at: number;
  readonly received: number;
  readonly acked: number;
}

/** Sees from a connection's subflows how much each path carries: it can do at least that. */
export class RateWatch {
  readonly #begun = new Map<string, Begun>();

  /**
   * @param subflows By a key that stays with a subflow. @param now By a steady clock, in milliseconds.
   * @returns Of those subflows that were watched long enough, by their key.
   */
  look(subflows: ReadonlyMap<string, SubflowInfo>, now: number): ReadonlyMap<string, CarriedRate> {
    const rates = new Map<string, CarriedRate>();
    for (const key of this.#begun.keys()) if (!subflows.has(key)) this.#begun.delete(key);
    for (const [key, { bytesReceived: received, bytesAcked: acked }] of subflows) {
      const begun = this.#begun.get(key);
      const tookMs = begun === undefined ? Number.POSITIVE_INFINITY : now - begun.at;
      if (tookMs < spanMs) continue;
      this.#begun.set(key, { at: now, received, acked });
      if (begun === undefined || tookMs > spanMostMs) continue;
      rates.set(key, {
        downMbps: ((received - begun.received) * 8) / 1000 / tookMs,
        upMbps: ((acked - begun.acked) * 8) / 1000 / tookMs,
      });
    }
    return rates;
  }
}
