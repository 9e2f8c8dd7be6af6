import type { Carried, Logger, PathRecord, PathStatus, PathTier } from '@manypath/core';
import { Condition, errorCode, errorMessage, SerialQueue, systemClock, type Timer } from '@manypath/core';
import { discoverPaths } from './discovery/discover-paths.ts';
import type { Path } from './discovery/path.ts';
import { pathStatuses } from './discovery/path-status.ts';
import { type Ends, SubflowPlaces } from './discovery/subflow-places.ts';
import { HealthKeeper } from './health/health-keeper.ts';
import type { SizeQuestion } from './health/packet-sizes.ts';
import type { ProbeTarget } from './health/probe.ts';
import type { Estimates } from './learned/estimates.ts';
import { pathsLimits } from './limits.ts';
import type { PathOutlook } from './outlook.ts';
import type { Tiers } from './tiers/tier-keeper.ts';
import type { Keeper } from './upkeep/keeper.ts';
import { KernelTables } from './upkeep/kernel-tables.ts';
import { planPaths } from './upkeep/plan.ts';
import { SettingsKeeper } from './upkeep/settings-keeper.ts';

/**
 * What changed: `links`, which paths there are, or where they lead; `health`, whether one of them works; `tier`, what one may.
 */
export type PathChange = 'links' | 'health' | 'tier';

/** Options of {@link PathSet.open}. */
export interface PathSetOptions {
  /** Use exactly these interfaces; default: every one that leads out of the host. */
  names?: readonly string[];
  /** Where the journal lives when /run cannot be written. */
  stateDir: string;
  logger: Logger;
  /** What the user allows each path. Default: everything. */
  tiers?: Pick<Tiers, 'tierOf' | 'usageOf' | 'usePaths' | 'onChange'> &
    Partial<Pick<Tiers, 'carried' | 'daysOf'>>;
  /** What was learned of paths earlier. */
  estimates?: Pick<Estimates, 'of'> & Partial<Pick<Estimates, 'networksOf'>>;
  /** `http://` address of a page that answers 204 where there is no captive portal. Default: nobody looks for portals. */
  portalCheck?: string | undefined;
  /** Changes the kernel's settings. Default: this process does, if it may. */
  keeper?: Keeper;
}

/**
 * The paths of this host, kept set up for MPTCP while links, addresses and routes come and go.
 *
 * With CAP_NET_ADMIN every path has an endpoint, a table and rules of its own, and they are taken out again by
 * {@link close}, or by the next start when this process is killed. Without it the set only watches.
 */
export class PathSet {
  readonly #options: PathSetOptions;
  readonly #tables = KernelTables.open();
  readonly #keeper: Keeper;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<(change: PathChange) => void>();
  readonly #known = new Set<string>();
  readonly #places = new SubflowPlaces();
  readonly #forgetTiers: () => void;
  readonly #health: HealthKeeper;
  /** Looks at the paths, one after the other. */
  readonly #looks: SerialQueue;
  readonly #unseen: Condition;
  readonly #unsettled: Condition;
  #isLookWaiting = false;
  #retry: Timer | undefined;
  #paths: readonly Path[] = [];
  #watching: Promise<void> = Promise.resolve();

  private constructor(options: PathSetOptions) {
    this.#options = options;
    for (const name of options.names ?? []) this.#known.add(name);
    const { logger, stateDir } = options;
    this.#keeper = options.keeper ?? SettingsKeeper.open({ stateDir, logger });
    this.#unseen = new Condition(logger, 'the network is seen again');
    this.#unsettled = new Condition(logger, 'the paths are set up in the kernel again');
    this.#looks = new SerialQueue(error => {
      this.#unseen.begins(this, describeError(error), 'the network cannot be looked at; tried again');
      this.#lookSoon();
    });
    this.#health = new HealthKeeper({
      logger,
      portalCheck: options.portalCheck,
      onChange: () => this.#judged('health'),
    });
    this.#forgetTiers = options.tiers?.onChange(() => this.#judged('tier')) ?? (() => {});
  }

  /**
   * Finds the paths, undoes what a killed predecessor left, sets the paths up and begins to watch. What of it fails is said, and
   * tried again until it works.
   */
  static async open(options: PathSetOptions): Promise<PathSet> {
    const set = new PathSet(options);
    set.#look();
    await set.#looks.idle;
    set.#watching = set.#watch();
    return set;
  }

  /** Whether the kernel is set up by this process, or only looked at because it lacks CAP_NET_ADMIN. */
  get mode(): 'managing' | 'observing' {
    return this.#keeper.permitted ? 'managing' : 'observing';
  }

  /** Why the mode is `observing`; empty while managing. */
  get reason(): string {
    return this.#keeper.permitted
      ? ''
      : 'setting paths up needs CAP_NET_ADMIN, which the helper has: sudo manypath helper';
  }

  /** The usable paths, best default route first. */
  current(): readonly Path[] {
    return this.#paths;
  }

  /** Every interface that is or could be a path, with its counters, for `status`. */
  status(): PathStatus[] {
    const outlooks = this.outlooks();
    const statuses = pathStatuses(this.#tables.dump(), this.#paths, this.#tables.endpoints(), this.#known);
    return statuses.map(status => {
      const outlook = outlooks.find(({ path }) => path.index === status.index);
      return {
        ...status,
        tier: outlook?.tier ?? this.#options.tiers?.tierOf(status) ?? status.tier,
        usage: this.#options.tiers?.usageOf(status.name) ?? status.usage,
        ...(outlook === undefined
          ? {}
          : {
              health: outlook.health,
              healthReason: this.#health.verdict(status.name)?.reason ?? null,
              rttMs: outlook.rttMs ?? null,
              downMbps: outlook.downMbps ?? null,
              upMbps: outlook.upMbps ?? null,
            }),
      };
    });
  }

  /** Bytes that an interface carried so far, of all programs and in both directions; `undefined` when there is none of this name. */
  trafficOf(name: string): number | undefined {
    const statistics = this.#tables.links().find(link => link.name === name)?.statistics;
    return statistics && statistics.bytesIn + statistics.bytesOut;
  }

  /** What connections of this process carried over each path, by its name. */
  carried(): ReadonlyMap<string, Carried> {
    return this.#options.tiers?.carried?.() ?? new Map();
  }

  /** What was learned of each path that is there or was, and kept. */
  records(): PathRecord[] {
    const { tiers, estimates } = this.#options;
    return this.status().map(({ name }) => ({
      path: name,
      days: tiers?.daysOf?.(name) ?? {},
      networks: [...(estimates?.networksOf?.(name) ?? [])].map(([network, { rttMs, downMbps, upMbps }]) => ({
        network,
        rttMs: rttMs ?? null,
        downMbps: downMbps ?? null,
        upMbps: upMbps ?? null,
      })),
    }));
  }

  /** What is known of the usable paths, in the order of {@link current}. */
  outlooks(): readonly PathOutlook[] {
    const { tiers, estimates } = this.#options;
    return this.#paths.map(path => {
      const verdict = this.#health.verdict(path.name);
      const learned = estimates?.of(path.name, path.network);
      return {
        path,
        tier: tiers?.tierOf(path) ?? 'primary',
        health: verdict?.health ?? 'unknown',
        takesSmallOnly: verdict?.takesSmallOnly ?? false,
        rttMs: learned?.rttMs ?? verdict?.rttMs,
        downMbps: learned?.downMbps,
        upMbps: learned?.upMbps,
      };
    });
  }

  /** The path that a connection of plain TCP or a subflow is on, by its ends; `undefined` when it is on none. */
  pathOf(ends: Ends): Path | undefined {
    return this.#places.pathOf(ends, this.#paths);
  }

  /** Has paths prove themselves by reaching this from now on, e.g. the relay; `undefined` for their own routers. */
  setProbeTarget(target: ProbeTarget | undefined): void {
    this.#health.setTarget(target);
  }

  /**
   * Somebody who uses a path doubts that it works: nothing came back for longer than it should. It is asked at once, and the
   * outcome comes as a change.
   */
  doubt(name: string): void {
    this.#health.doubt(name);
  }

  /** Somebody got an answer over a path: it works, whatever was thought of it. @param rttMs in milliseconds */
  works(name: string, rttMs?: number): void {
    this.#health.works(name, rttMs);
  }

  /**
   * Finds out whether packets as large as those of a connection pass over a path; see `HealthKeeper.examineSizes`. A path on which
   * they do not is `degraded`.
   */
  examineSizes(name: string, question: SizeQuestion, anew = false): Promise<'all' | 'small' | undefined> {
    return this.#health.examineSizes(name, question, anew);
  }

  /** Something came over a path: it works. May be told as often as it happens. */
  alive(name: string): void {
    this.#health.alive(name);
  }

  /**
   * Asks paths of which nothing was heard just now whether they work, so that {@link status} is true at this moment. Takes a
   * round trip, and well under a second when one is silent; nothing is asked of paths that carry something.
   */
  freshen(): Promise<void> {
    return this.#health.freshen();
  }

  /** Calls `listener` after every change of the paths, with what changed. @returns What ends that. */
  onChange(listener: (change: PathChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops watching and takes out of the kernel what was put in, unless another process still relies on it. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#retry?.cancel();
    this.#forgetTiers();
    this.#health.close();
    await this.#watching;
    await this.#looks.idle;
    try {
      await this.#keeper.end();
    } finally {
      this.#tables.close();
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    // Endpoints tell nobody when another program takes them away.
    const check = setInterval(() => this.#look(), pathsLimits.upkeepCheckMs);
    signal.addEventListener('abort', () => clearInterval(check), { once: true });
    const deaf = new Condition(this.#options.logger, 'changes of the network are heard of again');
    while (!signal.aborted) {
      try {
        await this.#follow(() => deaf.ends(this));
      } catch (error) {
        if (signal.aborted) return;
        deaf.begins(this, describeError(error), 'changes of the network are seen late, at each check only');
        await pause(pathsLimits.applyRetryMs, signal);
      }
    }
  }

  /** Looks at the paths whenever something changes, as long as the kernel tells. */
  async #follow(heard: () => void): Promise<void> {
    const { signal } = this.#stop;
    let planned = false;
    for await (const _ of this.#tables.changes(signal)) {
      heard();
      if (planned) continue;
      planned = true;
      // Changes come in bursts: an address brings its routes with it.
      setTimeout(() => {
        planned = false;
        this.#look();
      }, pathsLimits.settleMs);
    }
  }

  /** Who chooses between paths hears at once what is thought of them; the kernel may take its time. */
  #judged(change: 'health' | 'tier'): void {
    this.#tell(change);
    this.#look();
  }

  #tell(change: PathChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** Has the kernel brought in line with the paths that there are, after what is under way. */
  #look(): void {
    if (this.#isLookWaiting || this.#stop.signal.aborted) return;
    this.#isLookWaiting = true;
    this.#looks.post(() => {
      this.#isLookWaiting = false;
      return this.#lookNow();
    });
  }

  async #lookNow(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const paths = discoverPaths(this.#tables.dump(), this.#options.names);
    const isNews = describe(paths) !== describe(this.#paths);
    for (const { name } of paths) this.#known.add(name);
    this.#options.tiers?.usePaths(paths);
    this.#paths = paths;
    await this.#setUp(paths);
    if (isNews) {
      this.#options.logger.info({ paths: paths.map(({ name }) => name) }, 'the paths of this host changed');
      this.#health.usePaths(paths);
    }
    this.#unseen.ends(this);
    if (isNews) this.#tell('links');
  }

  /** Whatever comes of it, the paths are there, and are used as they are. */
  async #setUp(paths: readonly Path[]): Promise<void> {
    try {
      await this.#keeper.apply(planPaths(paths, path => this.#tierInKernel(path)));
      this.#unsettled.ends(this);
    } catch (error) {
      this.#unsettled.begins(
        this,
        describeError(error),
        'the paths cannot be set up in the kernel; tried again',
      );
      this.#lookSoon();
    }
  }

  #lookSoon(): void {
    this.#retry?.cancel();
    if (this.#stop.signal.aborted) return;
    this.#retry = systemClock.after(pathsLimits.applyRetryMs, () => this.#look());
  }

  /** The kernel knows nothing of health: it must not open subflows on a path that is dead. */
  #tierInKernel(path: Path): PathTier {
    const health = this.#health.verdict(path.name)?.health;
    if (health === 'dead' || health === 'captive') return 'never';
    return this.#options.tiers?.tierOf(path) ?? 'primary';
  }
}

function describeError(error: unknown): object {
  return { code: errorCode(error), error: errorMessage(error) };
}

/** Waits, but not beyond the end of `signal`. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const timer = systemClock.after(milliseconds, resolve);
    const onAbort = (): void => {
      timer.cancel();
      resolve();
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

function describe(paths: readonly Path[]): string {
  return JSON.stringify(paths);
}
