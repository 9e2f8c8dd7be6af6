import { type Clock, systemClock } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';
import { type PathLoad, spread } from './spread.ts';
import { neighbourhoodOf } from './winner-memory.ts';

/** A connection that was given to a path, until it ends. */
export interface Placement {
  end(): void;
}

interface Open {
  /** Bytes it has received so far. */
  readonly received: () => number;
  counted: number;
}

/** What one path carries. */
class Carried implements PathLoad {
  readonly open = new Set<Open>();
  /** In the window before. */
  downMbps = 0;
  /** Bytes since then of connections that have ended. */
  ended = 0;
  since: number;

  constructor(now: number) {
    this.since = now;
  }

  get connections(): number {
    return this.open.size;
  }

  /** Closes the window when it is over. */
  turn(now: number): void {
    const elapsed = now - this.since;
    if (elapsed < pathsLimits.loadWindowMs) return;
    let bytes = this.ended;
    for (const one of this.open) {
      const received = one.received();
      bytes += received - one.counted;
      one.counted = received;
    }
    this.downMbps = (bytes * 8) / 1000 / elapsed;
    this.ended = 0;
    this.since = now;
  }
}

/** Spreads connections over paths: knows what each one carries, and which site is on which. */
export class Spreader {
  readonly #clock: Clock;
  readonly #carried = new Map<string, Carried>();
  readonly #sites = new Map<string, string>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The path that a connection to `host` should begin with. */
  choose(outlooks: readonly PathOutlook[], host: string): string | undefined {
    const site = siteOf(host);
    const path = spread(outlooks, this.#load(), site, this.#sites.get(site));
    this.#sites.delete(site);
    if (path !== undefined) this.#sites.set(site, path);
    if (this.#sites.size > pathsLimits.sitesKept) this.#forgetOldest();
    return path;
  }

  /**
   * Notes that a connection goes over `path`, which need not be the chosen one: the site stays where it got through.
   *
   * @param received Tells how many bytes it has received so far.
   */
  placed(host: string, path: string, received: () => number): Placement {
    const site = siteOf(host);
    if (this.#sites.has(site)) this.#sites.set(site, path);
    const carried = this.#carriedBy(path);
    const one: Open = { received, counted: 0 };
    carried.open.add(one);
    return {
      end: () => {
        if (carried.open.delete(one)) carried.ended += received() - one.counted;
      },
    };
  }

  #load(): ReadonlyMap<string, PathLoad> {
    for (const carried of this.#carried.values()) carried.turn(this.#clock.now());
    return this.#carried;
  }

  #carriedBy(path: string): Carried {
    let carried = this.#carried.get(path);
    if (carried === undefined) {
      carried = new Carried(this.#clock.now());
      this.#carried.set(path, carried);
    }
    return carried;
  }

  #forgetOldest(): void {
    for (const site of this.#sites.keys()) {
      this.#sites.delete(site);
      return;
    }
  }
}

/**
 * What belongs together as far as logins go: about a registrable domain, or the network of an address. It need not be exact,
 * since two sites that are taken for one merely share a path.
 */
export function siteOf(host: string): string {
  const neighbourhood = neighbourhoodOf(host.replace(/\.$/, ''));
  if (neighbourhood.includes(':') || /^[\d.]+$/.test(neighbourhood)) return neighbourhood;
  const labels = neighbourhood.split('.');
  const [second = '', top = ''] = labels.slice(-2);
  // co.uk, com.au, ac.jp: a short label below a country is no domain of somebody's own.
  const kept = top.length === 2 && second.length <= 3 ? 3 : 2;
  return labels.slice(-kept).join('.');
}
