import type { PathStatus } from '@manypath/core';

/** What a path moves now, in bytes a second. */
export interface PathRate {
  readonly down: number;
  readonly up: number;
}

/** Rates of paths, from the counters of their interfaces as they are asked for one time after the other. */
export class PathRates {
  readonly #last = new Map<string, { at: number; path: PathStatus }>();

  /** @param at Milliseconds on any clock. @returns Rates by name; none for a path that is seen for the first time. */
  take(paths: readonly PathStatus[], at: number): ReadonlyMap<string, PathRate> {
    const rates = new Map<string, PathRate>();
    for (const path of paths) {
      const before = this.#last.get(path.name);
      this.#last.set(path.name, { at, path });
      if (before === undefined || at <= before.at) continue;
      const perSecond = (now: number, then: number) => (Math.max(0, now - then) * 1000) / (at - before.at);
      rates.set(path.name, {
        down: perSecond(path.bytesIn, before.path.bytesIn),
        up: perSecond(path.bytesOut, before.path.bytesOut),
      });
    }
    return rates;
  }
}
