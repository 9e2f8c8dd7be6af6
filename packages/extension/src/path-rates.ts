import type { Carried } from '@manypath/core';

/** What a path moves now, in bytes a second. */
export interface PathRate {
  readonly down: number;
  readonly up: number;
}

/** Rates of paths, from what they carried as it is asked for one time after the other. */
export class PathRates {
  readonly #last = new Map<string, { at: number; carried: Carried }>();

  /** @param at Milliseconds on any clock. @returns Rates by name; none for a path that is seen for the first time. */
  take(carried: Readonly<Record<string, Carried>>, at: number): ReadonlyMap<string, PathRate> {
    const rates = new Map<string, PathRate>();
    for (const [name, now] of Object.entries(carried)) {
      const before = this.#last.get(name);
      this.#last.set(name, { at, carried: now });
      if (before === undefined || at <= before.at) continue;
      const perSecond = (bytes: number, then: number) =>
        (Math.max(0, bytes - then) * 1000) / (at - before.at);
      rates.set(name, {
        down: perSecond(now.bytesIn, before.carried.bytesIn),
        up: perSecond(now.bytesOut, before.carried.bytesOut),
      });
    }
    return rates;
  }
}
