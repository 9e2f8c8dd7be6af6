import type { Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import {
  addressScope,
  type Clock,
  type Condition,
  type Config,
  type Logger,
  type PathConfig,
  type PathTier,
  type PathUsage,
  type Carried as Payload,
  systemClock,
  type Timer,
} from '@manypath/core';
import type { SocketInfo } from '@manypath/mptcp';
import type { Path, PathKind } from '../discovery/path.ts';
import { type Ends, isShared, SubflowPlaces } from '../discovery/subflow-places.ts';
import { pathsLimits } from '../limits.ts';
import { type PathRules, ruleFor, tierAtCap } from './path-rules.ts';
import { dayOf, monthStartOf } from './periods.ts';
import { RecentRate } from './recent-rate.ts';
import { UsageBook } from './usage-book.ts';
import { type Carried, UsageMeter } from './usage-meter.ts';

/** Options of {@link Tiers.open}. */
export interface TiersOptions {
  /** Where it is kept how much each path carried; the folder is made when it is missing. */
  readonly file: string;
  /** What the configuration says of paths. Default: nothing. */
  readonly rules?: Config['paths'];
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** What stores of the same folder share that cannot be written. Default: one of its own. */
  readonly unwritable?: Condition;
  readonly clock?: Clock;
  /** The time of day, in milliseconds since 1970. */
  readonly now?: () => number;
  /** Tells what the kernel knows of a connection. Default: `info` of @manypath/mptcp. */
  readonly read?: (socket: Socket) => SocketInfo;
}

/** The name of a path and what sort it is: all that tiers depend on. */
export type TieredPath = Pick<Path, 'name' | 'kind'>;

/** A cap, and how much of it is used. */
interface Cap {
  /** Names the cap and its period, so that a new period or another cap begins afresh. */
  readonly name: string;
  readonly bytes: number;
  readonly used: number;
}

/** How often it is seen whether a new period has begun while a cap is reached, in milliseconds. */
const periodCheckMs = 10_000;
/** A cap counts as reached when this share of it is used. */
const fullShare = 0.995;
/** How long a path that has reached its cap is not used at all, even if it is backup then, in milliseconds. */
const leaveMs = 3000;

/**
 * What the user allows each path now: the tier from the configuration, or the usual one of its kind, and what a reached
 * cap makes of it.
 *
 * Caps hold for what Manypath itself carries. They count as reached a little before they are: as much before as would
 * still come until the path is left. Reached is reached until the next period begins or the cap is raised.
 */
export class Tiers {
  readonly #logger: TiersOptions['logger'];
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #book: UsageBook;
  readonly #meter: UsageMeter;
  readonly #rates = new Map<string, RecentRate>();
  readonly #carried = new Map<string, Payload>();
  readonly #kinds = new Map<string, PathKind>();
  /** Path by local address. */
  readonly #addresses = new Map<string, string>();
  readonly #places = new SubflowPlaces();
  readonly #listeners = new Set<(changed: readonly string[]) => void>();
  /** Until when a path that has just reached its cap is not used at all, by the clock. */
  readonly #leaving = new Map<string, number>();
  /** Tiers as they were last told of. */
  readonly #told = new Map<string, PathTier>();
  #rules: PathRules;
  #paths: readonly Path[] = [];
  #timer: Timer | undefined;
  #closed = false;

  static open(options: TiersOptions): Tiers {
    return new Tiers(options);
  }

  private constructor({
    file,
    rules,
    logger,
    unwritable,
    clock = systemClock,
    now = Date.now,
    read,
  }: TiersOptions) {
    this.#logger = logger;
    this.#clock = clock;
    this.#now = now;
    this.#rules = rules ?? {};
    this.#book = UsageBook.open(file, dayOf(new Date(now())), {
      clock,
      logger,
      ...(unwritable === undefined ? {} : { unwritable }),
    });
    this.#meter = new UsageMeter({
      clock,
      pathOf: ends => this.#pathOf(ends),
      onCarried: carried => this.#take(carried),
      pause: () => this.#pause(),
      ...(read === undefined ? {} : { read }),
    });
  }

  /** What the user allows a path now. */
  tierOf({ name, kind }: TieredPath): PathTier {
    this.#kinds.set(name, kind);
    const rule = ruleFor(this.#rules, name, kind);
    const tier = this.#isCapReached(name) ? this.#tierAtCap(name, rule) : rule.tier;
    if (!this.#told.has(name)) this.#told.set(name, tier);
    return tier;
  }

  /** What a path carried for Manypath, against what the user allows. */
  usageOf(name: string): PathUsage {
    const rule = this.#ruleOf(name);
    const now = new Date(this.#now());
    return {
      todayBytes: this.#book.on(name, dayOf(now)),
      monthBytes: this.#book.since(name, monthStartOf(now, rule.resetDay ?? 1)),
      dailyCapBytes: rule.dailyCapBytes ?? null,
      monthlyCapBytes: rule.monthlyCapBytes ?? null,
      capReached: this.#isCapReached(name),
    };
  }

  /** What each path carried since the start, by its name; all connections are looked at for it. */
  carried(): ReadonlyMap<string, Payload> {
    this.#meter.look();
    return this.#carried;
  }

  /** What a path carried on each day that is kept. */
  daysOf(name: string): Readonly<Record<string, number>> {
    return this.#book.days(name);
  }

  /** Takes in which paths there are now, and which addresses connections over them come from. */
  usePaths(paths: readonly Path[]): void {
    this.#paths = paths;
    this.#addresses.clear();
    for (const { name, kind, addresses } of paths) {
      this.#kinds.set(name, kind);
      for (const { address } of addresses) this.#addresses.set(address, name);
    }
    this.#tellChanges();
  }

  /** Takes in a new configuration. */
  configure(rules: Config['paths']): void {
    this.#rules = rules ?? {};
    this.#tellChanges();
  }

  /** Counts what a connection out of this host carries over each path, from its beginning to its close. */
  watch(socket: Socket): void {
    this.#meter.watch(socket);
  }

  /** Takes a last look at a connection before it is destroyed: what came since the last one is counted too. */
  unwatch(socket: Socket): void {
    this.#meter.unwatch(socket);
  }

  /** Counts bytes that were carried otherwise than by a watched connection; how fast is not known. */
  add(name: string, bytesIn: number, bytesOut: number): void {
    this.#book.add(name, dayOf(new Date(this.#now())), bytesIn + bytesOut);
    this.#tellChanges();
  }

  /**
   * Watched connections of plain TCP on this path: nothing can move them, so that they have to be closed when the path may
   * not be used any more.
   */
  stuckOn(name: string): readonly Socket[] {
    return this.#meter.stuckOn(name);
  }

  /** Calls `listener` with the names of paths whose tier has changed. @returns What ends that. */
  onChange(listener: (changed: readonly string[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Counts what is left to count and writes it. */
  close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    this.#timer?.cancel();
    this.#meter.close();
    return this.#book.close();
  }

  #take(carried: readonly Carried[]): void {
    const now = this.#clock.now();
    const day = dayOf(new Date(this.#now()));
    for (const { path, payloadIn, payloadOut } of carried) {
      const { bytesIn, bytesOut } = this.#carried.get(path) ?? { bytesIn: 0, bytesOut: 0 };
      this.#carried.set(path, { bytesIn: bytesIn + payloadIn, bytesOut: bytesOut + payloadOut });
    }
    for (const [path, bytes, rttMs] of sums(carried)) {
      this.#book.add(path, day, bytes);
      const rate = this.#rateOf(path);
      rate.count(bytes);
      if (rttMs > 0) rate.rttMs = rttMs;
    }
    for (const rate of this.#rates.values()) rate.look(now);
    this.#tellChanges();
  }

  #tellChanges(): void {
    if (this.#closed) return;
    const changed: string[] = [];
    let isAnyReached = false;
    for (const [name, kind] of this.#kinds) {
      const wasReached = this.#isCapReached(name);
      this.#noteCaps(name);
      this.#noteLeaving(name, wasReached);
      isAnyReached ||= this.#isCapReached(name);
      const before = this.#told.get(name);
      const tier = this.tierOf({ name, kind });
      this.#told.set(name, tier);
      if (before === undefined || before === tier) continue;
      changed.push(name);
      const { todayBytes, monthBytes, capReached } = this.usageOf(name);
      this.#logger.info(
        { path: name, tier, before, capReached, todayBytes, monthBytes },
        capReached ? 'a path has reached its cap' : 'a path has another tier',
      );
    }
    this.#timer?.cancel();
    const next = this.#leaving.size > 0 ? leaveMs / 10 : periodCheckMs;
    this.#timer = isAnyReached ? this.#clock.after(next, () => this.#tellChanges()) : undefined;
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed);
  }

  /**
   * A path that becomes backup has its queues emptied all the same, which may be much. So it is left altogether at first,
   * if another path is seen to carry something, and then comes back as backup.
   */
  #tierAtCap(name: string, rule: PathConfig & { readonly tier: PathTier }): PathTier {
    return (this.#leaving.get(name) ?? 0) > this.#clock.now() ? 'never' : tierAtCap(rule);
  }

  #noteLeaving(name: string, before: boolean): void {
    const now = this.#clock.now();
    if ((this.#leaving.get(name) ?? 0) <= now) this.#leaving.delete(name);
    if (before || !this.#isCapReached(name)) return;
    const others = [...this.#rates].filter(([other]) => other !== name);
    if (others.some(([, rate]) => rate.expected(now) > 0)) this.#leaving.set(name, now + leaveMs);
  }

  /** Notes which caps are reached: they stay so, whatever comes less than was foreseen. */
  #noteCaps(name: string): void {
    const still = this.#stillToCome(name);
    const reached = this.#capsOf(name).filter(
      ({ name: cap, bytes, used }) =>
        this.#book.isReached(name, cap) || used >= bytes * fullShare || (still > 0 && used + still >= bytes),
    );
    this.#book.noteReached(
      name,
      reached.map(cap => cap.name),
    );
  }

  #isCapReached(name: string): boolean {
    return this.#capsOf(name).some(cap => this.#book.isReached(name, cap.name));
  }

  #capsOf(name: string): Cap[] {
    const { dailyCapBytes, monthlyCapBytes, resetDay = 1 } = this.#ruleOf(name);
    if (dailyCapBytes === undefined && monthlyCapBytes === undefined) return [];
    const now = new Date(this.#now());
    const day = dayOf(now);
    const month = monthStartOf(now, resetDay);
    const caps: Cap[] = [];
    if (dailyCapBytes !== undefined) {
      caps.push({
        name: `day ${day} ${dailyCapBytes}`,
        bytes: dailyCapBytes,
        used: this.#book.on(name, day),
      });
    }
    if (monthlyCapBytes !== undefined) {
      const used = this.#book.since(name, month);
      caps.push({ name: `month ${month} ${monthlyCapBytes}`, bytes: monthlyCapBytes, used });
    }
    return caps;
  }

  /** Bytes that may come until the path is left, once that is decided at the next look. */
  #stillToCome(name: string): number {
    const rate = this.#rates.get(name);
    if (rate === undefined) return 0;
    const ms = pathsLimits.usageSampleNearCapMs + pathsLimits.leavePathMs + 2 * rate.rttMs;
    return (rate.expected(this.#clock.now()) * ms) / 1000;
  }

  /** Until the next look a quarter of what is left of a cap may pass. */
  #pause(): number {
    const now = this.#clock.now();
    let pause: number = pathsLimits.usageSampleMs;
    for (const name of this.#kinds.keys()) {
      if (this.#isCapReached(name)) continue;
      const rate = this.#rates.get(name);
      const highest = Math.max(rate?.highest ?? 0, pathsLimits.assumedBytesPerSecond);
      const flows = (rate?.expected(now) ?? 0) > 0;
      const least = flows ? pathsLimits.usageSampleNearCapMs : pathsLimits.usageSampleStillMs;
      for (const { bytes, used } of this.#capsOf(name)) {
        const leftMs = ((bytes - used) / highest) * 1000;
        pause = Math.min(pause, Math.max(least, leftMs / 4));
      }
    }
    return pause;
  }

  #rateOf(name: string): RecentRate {
    const known = this.#rates.get(name);
    if (known !== undefined) return known;
    const rate = new RecentRate(this.#clock.now());
    this.#rates.set(name, rate);
    return rate;
  }

  #ruleOf(name: string) {
    return ruleFor(this.#rules, name, this.#kinds.get(name) ?? 'unknown');
  }

  #pathOf(ends: Ends): string | undefined {
    const { address } = ends.local;
    const isAmbiguous = isShared(address, this.#paths);
    if (isAmbiguous) return this.#places.pathOf(ends, this.#paths)?.name;
    return this.#addresses.get(address) ?? this.#interfaceOf(address);
  }

  /** A connection may be made over an interface before it is told of, and outlast it. */
  #interfaceOf(address: string): string | undefined {
    // Asked for every connection within this computer, and to read all interfaces costs a tenth of a millisecond.
    if (addressScope(address) === 'loopback') return undefined;
    for (const [name, entries] of Object.entries(networkInterfaces())) {
      const found = entries?.find(entry => entry.address === address);
      if (found !== undefined) return found.internal ? undefined : name;
    }
    return undefined;
  }
}

function sums(carried: readonly Carried[]): Iterable<[path: string, bytes: number, rttMs: number]> {
  const byPath = new Map<string, [string, number, number]>();
  for (const { path, bytesIn, bytesOut, rttMs } of carried) {
    const [, bytes, rtt] = byPath.get(path) ?? [path, 0, 0];
    byPath.set(path, [path, bytes + bytesIn + bytesOut, Math.max(rtt, rttMs)]);
  }
  return byPath.values();
}
