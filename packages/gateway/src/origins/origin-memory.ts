import { type Authority, type Clock, formatAuthority } from '@manypath/core';

/** What is known of an origin. */
interface OriginRecord {
  readonly multipath: boolean;
  /** Until when that is believed, by the clock. */
  readonly until: number;
}

export interface OriginMemoryOptions {
  readonly clock: Clock;
  readonly limits: {
    readonly originsKept: number;
    readonly originMs: number;
    readonly plainOriginMs: number;
  };
}

/**
 * Remembers which origins speak Multipath TCP, for a day, and which do not, for an hour. In memory only: which sites
 * somebody visits is not to be found on the disk.
 */
export class OriginMemory {
  readonly #options: OriginMemoryOptions;
  readonly #known = new Map<string, OriginRecord>();

  constructor(options: OriginMemoryOptions) {
    this.#options = options;
  }

  /** `undefined`: not known, or not any more. */
  speaksMultipath(origin: Authority): boolean | undefined {
    const key = keyOf(origin);
    const found = this.#known.get(key);
    if (found === undefined) return undefined;
    if (found.until > this.#options.clock.now()) return found.multipath;
    this.#known.delete(key);
    return undefined;
  }

  /** Notes how an origin answered. One that spoke it and does not now is unknown again: the path may be what differs. */
  learn(origin: Authority, multipath: boolean): void {
    if (!multipath && this.speaksMultipath(origin) === true) {
      this.forget(origin);
      return;
    }
    const { limits, clock } = this.#options;
    const lasts = multipath ? limits.originMs : limits.plainOriginMs;
    const key = keyOf(origin);
    this.#known.delete(key);
    this.#known.set(key, { multipath, until: clock.now() + lasts });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= limits.originsKept) break;
      this.#known.delete(oldest);
    }
  }

  /** Takes back that an origin speaks it: it did not when it mattered. */
  forget(origin: Authority): void {
    this.#known.delete(keyOf(origin));
  }
}

function keyOf({ host, port }: Authority): string {
  return formatAuthority({ host: host.toLowerCase().replace(/\.$/, ''), port });
}

interface InterestLimits {
  readonly originsKept: number;
  readonly originCheckBytes: number;
  readonly originCheckConnections: number;
  readonly originCheckPauseMs: number;
}

/** How much a relay carries to an origin, until it is worth asking that origin itself. */
export class OriginInterest {
  readonly #clock: Clock;
  readonly #limits: InterestLimits;
  readonly #seen = new Map<string, { connections: number; bytes: number; checkedAt: number }>();

  constructor(clock: Clock, limits: InterestLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Notes a connection that ended. @returns Whether the origin should be asked now whether it speaks Multipath TCP. */
  carried(origin: Authority, bytes: number): boolean {
    const { originsKept, originCheckBytes, originCheckConnections, originCheckPauseMs } = this.#limits;
    const key = keyOf(origin);
    const entry = this.#seen.get(key) ?? { connections: 0, bytes: 0, checkedAt: Number.NEGATIVE_INFINITY };
    this.#seen.delete(key);
    this.#seen.set(key, entry);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= originsKept) break;
      this.#seen.delete(oldest);
    }
    entry.connections++;
    entry.bytes += bytes;
    if (entry.connections < originCheckConnections && entry.bytes < originCheckBytes) return false;
    if (this.#clock.now() - entry.checkedAt < originCheckPauseMs) return false;
    entry.checkedAt = this.#clock.now();
    return true;
  }
}
