import type { PathStatus } from '@manypath/core';
import { errorMessage } from '@manypath/core';
import { discoverPaths } from './discovery/discover-paths.ts';
import type { Path } from './discovery/path.ts';
import { pathStatuses } from './discovery/path-status.ts';
import { pathsLimits } from './limits.ts';
import type { PathOutlook } from './outlook.ts';
import { Journal } from './upkeep/journal.ts';
import { journalFolder } from './upkeep/journal-folder.ts';
import type { Keeper } from './upkeep/keeper.ts';
import { KernelTables } from './upkeep/kernel-tables.ts';
import { planPaths } from './upkeep/plan.ts';
import { SettingsKeeper } from './upkeep/settings-keeper.ts';

/** Where the paths room writes what happens. */
export interface PathsLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Options of {@link PathSet.open}. */
export interface PathSetOptions {
  /** Use exactly these interfaces; default: every one that leads out of the host. */
  names?: readonly string[];
  /** Where the journal lives when /run cannot be written. */
  stateDir: string;
  logger: PathsLogger;
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
  readonly #listeners = new Set<(paths: readonly Path[]) => void>();
  readonly #known = new Set<string>();
  #paths: readonly Path[] = [];
  #watching: Promise<void> = Promise.resolve();

  private constructor(options: PathSetOptions) {
    this.#options = options;
    for (const name of options.names ?? []) this.#known.add(name);
    this.#keeper = new SettingsKeeper(
      this.#tables,
      new Journal(journalFolder(options.stateDir)),
      options.logger,
    );
  }

  /** Finds the paths, undoes what a killed predecessor left, sets the paths up and begins to watch. */
  static async open(options: PathSetOptions): Promise<PathSet> {
    const set = new PathSet(options);
    await set.#keeper.begin();
    await set.#reconcile();
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
      : 'setting up paths needs CAP_NET_ADMIN; run it with sudo to have it done';
  }

  /** The usable paths, best default route first. */
  current(): readonly Path[] {
    return this.#paths;
  }

  /** Every interface that is or could be a path, with its counters, for `status`. */
  status(): PathStatus[] {
    return pathStatuses(this.#tables.dump(), this.#paths, this.#tables.endpoints(), this.#known);
  }

  /** What is known of the usable paths, in the order of {@link current}. */
  outlooks(): readonly PathOutlook[] {
    return this.#paths.map(path => ({
      path,
      tier: 'primary',
      health: 'unknown',
      rttMs: undefined,
      downMbps: undefined,
      upMbps: undefined,
    }));
  }

  /**
   * Somebody who uses a path doubts that it works: nothing came back for longer than it should. Has it tried at once; the
   * outcome comes as a change.
   */
  doubt(name: string): void {
    this.#options.logger.debug({ path: name }, 'a path is doubted');
  }

  /** Somebody got an answer over a path: it works, whatever was thought of it. @param rttMs in milliseconds */
  works(name: string, rttMs?: number): void {
    this.#options.logger.debug({ path: name, rttMs }, 'a path works');
  }

  /** Calls `listener` after every change of the usable paths. @returns What ends that. */
  onChange(listener: (paths: readonly Path[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops watching and takes out of the kernel what was put in, unless another process still relies on it. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#keeper.end();
    this.#tables.close();
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    let planned = false;
    try {
      for await (const _ of this.#tables.changes(signal)) {
        if (planned) continue;
        planned = true;
        // Changes come in bursts: an address brings its routes with it.
        setTimeout(() => {
          planned = false;
          if (!signal.aborted) void this.#reconcile();
        }, pathsLimits.settleMs);
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#options.logger.warn({ error: errorMessage(error) }, 'cannot watch the network any more');
    }
  }

  async #reconcile(): Promise<void> {
    const paths = discoverPaths(this.#tables.dump(), this.#options.names);
    for (const { name } of paths) this.#known.add(name);
    await this.#keeper.apply(planPaths(paths));
    if (describe(paths) === describe(this.#paths)) return;
    this.#paths = paths;
    this.#options.logger.info({ paths: paths.map(({ name }) => name) }, 'the paths of this host changed');
    for (const listener of this.#listeners) listener(paths);
  }
}

function describe(paths: readonly Path[]): string {
  return JSON.stringify(paths);
}
