import { type Clock, systemClock } from '@manypath/core';
import { JsonStore, type JsonStoreOptions } from '@manypath/files';
import { isPositive } from '../learned/best-of-late.ts';
import { pathsLimits } from '../limits.ts';

/** What one path carried. */
interface PathPage {
  /** Bytes by day. */
  readonly days: Readonly<Record<string, number>>;
  /** What may have been carried since the last writing by a process that could not say so any more. */
  readonly unwritten: number;
  /** The caps that were reached, by their names. */
  readonly reached: readonly string[];
}

type Pages = Readonly<Record<string, PathPage>>;

const emptyPage: PathPage = { days: {}, unwritten: 0, reached: [] };

/**
 * Who carried how much on which day, kept across restarts. What a killed process had no time to write is estimated by
 * what it carried in as much time before, so that a cap is rather reached too early than too late.
 */
export class UsageBook {
  readonly #store: JsonStore<Pages>;
  readonly #spans: Spans;
  /** The day on which what a killed process did not write is counted, as long as that was not done. */
  #unsettledDay: string | undefined;

  /** @param today The day by its name, as `dayOf` gives it. */
  static open(file: string, today: string, options: JsonStoreOptions = {}): UsageBook {
    return new UsageBook(file, today, options);
  }

  private constructor(file: string, today: string, options: JsonStoreOptions) {
    this.#spans = new Spans(options.clock ?? systemClock);
    this.#store = JsonStore.open(file, parsePages, { debounceMs: pathsLimits.usageWrittenMs, ...options });
    this.#unsettledDay = this.#isClean() ? undefined : today;
  }

  /** Counts bytes, in and out together. */
  add(path: string, day: string, bytes: number): void {
    if (!(bytes > 0)) return;
    this.#settle();
    const unwritten = this.#spans.add(path, bytes);
    this.#store.update(pages =>
      withPage(pages, path, page => ({ ...page, days: withBytes(page.days, day, bytes), unwritten })),
    );
  }

  /** Bytes of one day. */
  on(path: string, day: string): number {
    return this.#days(path)[day] ?? 0;
  }

  /** Bytes of all days from `first` on. */
  since(path: string, first: string): number {
    return Object.entries(this.#days(path)).reduce(
      (sum, [day, bytes]) => (day >= first ? sum + bytes : sum),
      0,
    );
  }

  /** Bytes of each day that is kept. */
  days(path: string): Readonly<Record<string, number>> {
    return this.#days(path);
  }

  /** Whether a cap was noted as reached. */
  isReached(path: string, cap: string): boolean {
    return this.#page(path)?.reached.includes(cap) ?? false;
  }

  /** Notes which caps are reached, in place of those noted before. */
  noteReached(path: string, caps: readonly string[]): void {
    const before = this.#page(path)?.reached ?? [];
    if (before.length === caps.length && caps.every(cap => before.includes(cap))) return;
    this.#store.update(pages => withPage(pages, path, page => ({ ...page, reached: caps })));
    void this.#store.flush();
  }

  /** Writes what was counted; nothing is missing then. */
  close(): Promise<void> {
    if (this.#unsettledDay === undefined && !this.#isClean()) {
      this.#store.update(pages => mapPages(pages, page => ({ ...page, unwritten: 0 })));
    }
    return this.#store.close();
  }

  /** Only who counts himself settles what another one left: who just looks must not change it. */
  #settle(): void {
    const day = this.#unsettledDay;
    if (day === undefined) return;
    this.#unsettledDay = undefined;
    this.#store.update(pages => mapPages(pages, page => settled(page, day)));
  }

  #days(path: string): PathPage['days'] {
    const page = this.#page(path);
    if (page === undefined) return {};
    return this.#unsettledDay === undefined ? page.days : settled(page, this.#unsettledDay).days;
  }

  #isClean(): boolean {
    return Object.values(this.#store.get()).every(({ unwritten }) => unwritten === 0);
  }

  #page(path: string): PathPage | undefined {
    const pages = this.#store.get();
    return Object.hasOwn(pages, path) ? pages[path] : undefined;
  }
}

/** How much each path carried in this span of time and in the one before; one is as long as writing is put off. */
class Spans {
  readonly #clock: Clock;
  #since: number;
  #before = new Map<string, number>();
  #now = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** @returns The greater of both. */
  add(path: string, bytes: number): number {
    const passed = this.#clock.now() - this.#since;
    if (passed >= pathsLimits.usageWrittenMs) {
      this.#before = passed < 2 * pathsLimits.usageWrittenMs ? this.#now : new Map();
      this.#now = new Map();
      this.#since = this.#clock.now();
    }
    const sum = (this.#now.get(path) ?? 0) + bytes;
    this.#now.set(path, sum);
    return Math.max(sum, this.#before.get(path) ?? 0);
  }
}

function settled(page: PathPage, today: string): PathPage {
  return { ...page, days: withBytes(page.days, today, page.unwritten), unwritten: 0 };
}

function withBytes(days: PathPage['days'], day: string, bytes: number): PathPage['days'] {
  if (bytes <= 0) return days;
  const sum = (Object.hasOwn(days, day) ? (days[day] ?? 0) : 0) + bytes;
  const all = Object.entries({ ...days, [day]: sum });
  if (all.length <= pathsLimits.usageDays) return Object.fromEntries(all);
  // By number and not by age: a clock that is wrong for a while must not wipe out what was counted.
  const newest = all.sort(([one], [other]) => (one < other ? 1 : -1)).slice(0, pathsLimits.usageDays);
  return Object.fromEntries(newest);
}

function withPage(pages: Pages, path: string, change: (page: PathPage) => PathPage): Pages {
  return { ...pages, [path]: change(Object.hasOwn(pages, path) ? (pages[path] ?? emptyPage) : emptyPage) };
}

function mapPages(pages: Pages, change: (page: PathPage) => PathPage): Pages {
  return Object.fromEntries(Object.entries(pages).map(([path, page]) => [path, change(page)]));
}

function parsePages(value: unknown): Pages {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) throw new TypeError('it is no object');
  return Object.fromEntries(Object.entries(value).map(([path, page]) => [path, parsePage(page)]));
}

function parsePage(value: unknown): PathPage {
  if (typeof value !== 'object' || value === null) return emptyPage;
  const { days, unwritten, reached } = value as Record<string, unknown>;
  const entries = typeof days === 'object' && days !== null ? Object.entries(days) : [];
  return {
    days: Object.fromEntries(
      entries.filter(([day, bytes]) => /^\d{4}-\d{2}-\d{2}$/.test(day) && isPositive(bytes)),
    ),
    unwritten: isPositive(unwritten) ? unwritten : 0,
    reached: Array.isArray(reached) ? reached.filter(cap => typeof cap === 'string') : [],
  };
}
