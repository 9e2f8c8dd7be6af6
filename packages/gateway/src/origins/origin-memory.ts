import { type Authority, type Clock, formatAuthority } from '@manypath/core';

/** What is kept of an origin, as JSON; times are of the day, in milliseconds. */
export interface OriginRecord {
  readonly multipath: boolean;
  readonly until: number;
}

export type OriginRecords = Readonly<Record<string, OriginRecord>>;

/** Keeps records beyond the process; `JsonStore` of @manypath/paths does. */
export interface OriginStore {
  get(): OriginRecords;
  update(change: (records: OriginRecords) => OriginRecords): void;
}

export interface OriginMemoryOptions {
  readonly store?: OriginStore | undefined;
  /** The time of day in milliseconds. Default: `Date.now`. */
  readonly timeOfDay?: () => number;
  readonly limits: {
    readonly originsKept: number;
    readonly originMs: number;
    readonly plainOriginMs: number;
  };
}

/** Remembers which origins speak Multipath TCP, for a day, and which do not, for an hour. */
export class OriginMemory {
  readonly #options: OriginMemoryOptions;
  readonly #now: () => number;
  readonly #known: Map<string, OriginRecord>;

  constructor(options: OriginMemoryOptions) {
    this.#options = options;
    this.#now = options.timeOfDay ?? Date.now;
    this.#known = new Map(Object.entries(options.store?.get() ?? {}));
  }

  /** `undefined`: not known, or not any more. */
  speaksMultipath(origin: Authority): boolean | undefined {
    const key = keyOf(origin);
    const found = this.#known.get(key);
    if (found === undefined) return undefined;
    if (found.until > this.#now()) return found.multipath;
    this.#known.delete(key);
    return undefined;
  }

  /** Notes how an origin answered. One that spoke it and does not now is unknown again: the path may be what differs. */
  learn(origin: Authority, multipath: boolean): void {
    if (!multipath && this.speaksMultipath(origin) === true) {
      this.forget(origin);
      return;
    }
    const { limits, store } = this.#options;
    const lasts = multipath ? limits.originMs : limits.plainOriginMs;
    const key = keyOf(origin);
    const before = this.#known.get(key);
    const record = { multipath, until: this.#now() + lasts };
    this.#known.delete(key);
    this.#known.set(key, record);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= limits.originsKept) break;
      this.#known.delete(oldest);
    }
    // Said again a moment later, it is not worth a write.
    if (before?.multipath === multipath && record.until - before.until < lasts / 10) return;
    store?.update(records => newest({ ...omit(records, key), [key]: record }, limits.originsKept));
  }

  /** Takes back that an origin speaks it: it did not when it mattered. */
  forget(origin: Authority): void {
    const key = keyOf(origin);
    this.#known.delete(key);
    this.#options.store?.update(records => omit(records, key));
  }
}

/** Reads what a store holds; what is not of this shape is left out. */
export function parseOriginRecords(value: unknown): OriginRecords {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, OriginRecord] => isRecord(entry[1])),
  );
}

function isRecord(value: unknown): value is OriginRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'multipath' in value &&
    typeof value.multipath === 'boolean' &&
    'until' in value &&
    typeof value.until === 'number'
  );
}

function omit(records: OriginRecords, key: string): OriginRecords {
  const { [key]: _, ...rest } = records;
  return rest;
}

/** The last ones of those that were added. */
function newest(records: OriginRecords, most: number): OriginRecords {
  const entries = Object.entries(records);
  return entries.length <= most ? records : Object.fromEntries(entries.slice(-most));
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
