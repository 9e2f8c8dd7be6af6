import { JsonStore, type JsonStoreOptions } from '@manypath/files';
import { pathsLimits } from '../limits.ts';
import { type BestOfLate, bestOf, isPositive, readBestOfLate, withMeasurement } from './best-of-late.ts';

/** What is known of a path on a network; `undefined` is not known. */
export interface Estimate {
  /** Least round trip of late, in milliseconds. */
  readonly rttMs: number | undefined;
  /** Most it carried of late, in Mbit/s. */
  readonly downMbps: number | undefined;
  readonly upMbps: number | undefined;
}

/** A measurement of a path on a network; what was not measured is left out. */
export interface Measurement {
  /** Name of the path, e.g. `wlan0`. */
  readonly path: string;
  readonly network: string;
  readonly rttMs?: number | undefined;
  readonly downMbps?: number | undefined;
  readonly upMbps?: number | undefined;
}

/** Options of {@link Estimates.open}. */
export interface EstimatesOptions extends JsonStoreOptions {
  /** The time of day, in milliseconds since 1970. */
  readonly now?: () => number;
}

type Figure = 'rttMs' | 'downMbps' | 'upMbps';
type Entry = { readonly at: number } & { readonly [figure in Figure]?: BestOfLate };
type Entries = Readonly<Record<string, Entry>>;

const better = { rttMs: Math.min, downMbps: Math.max, upMbps: Math.max } as const;
const figures = ['rttMs', 'downMbps', 'upMbps'] as const;

/**
 * What was measured of each path on each network it led into, kept across restarts: the best of late, where a lower rate
 * or a longer round trip that lasts takes the place of an old better one.
 */
export class Estimates {
  readonly #store: JsonStore<Entries>;
  readonly #now: () => number;

  /** @param file Where they are kept; the folder is made when it is missing. */
  static open(file: string, options: EstimatesOptions = {}): Estimates {
    return new Estimates(file, options);
  }

  private constructor(file: string, options: EstimatesOptions) {
    this.#now = options.now ?? Date.now;
    this.#store = JsonStore.open(file, parseEntries, options);
  }

  /** Takes in a measurement; figures that cannot be are left out. */
  note({ path, network, ...measured }: Measurement): void {
    const valid = figures.filter(figure => isPositive(measured[figure]));
    if (valid.length === 0) return;
    const key = keyOf(path, network);
    const at = this.#now();
    this.#store.update(entries => {
      const entry: { at: number } & { [figure in Figure]?: BestOfLate } = { ...fresh(entries[key], at), at };
      for (const figure of valid) {
        entry[figure] = withMeasurement(entry[figure], measured[figure] ?? 0, at, better[figure]);
      }
      return within({ ...entries, [key]: entry }, at);
    });
  }

  /** What is known of a path on a network. */
  of(path: string, network: string): Estimate {
    const entry = fresh(this.#store.get()[keyOf(path, network)], this.#now());
    const figure = (name: Figure): number | undefined => {
      const late = entry?.[name];
      return late && bestOf(late, better[name]);
    };
    return { rttMs: figure('rttMs'), downMbps: figure('downMbps'), upMbps: figure('upMbps') };
  }

  /** All that is known of a path, by network. */
  networksOf(path: string): ReadonlyMap<string, Estimate> {
    const prefix = keyOf(path, '');
    const networks = Object.keys(this.#store.get())
      .filter(key => key.startsWith(prefix))
      .map(key => key.slice(prefix.length));
    return new Map(networks.map(network => [network, this.of(path, network)]));
  }

  /** Writes what was learned; measurements after it are not kept. */
  close(): Promise<void> {
    return this.#store.close();
  }
}

/** Names of interfaces have no space. */
function keyOf(path: string, network: string): string {
  return `${path} ${network}`;
}

function fresh(entry: Entry | undefined, now: number): Entry | undefined {
  return entry !== undefined && now - entry.at <= pathsLimits.estimateKeptMs ? entry : undefined;
}

/** Lets go of what is too old or too much. */
function within(entries: Entries, now: number): Entries {
  const kept = Object.entries(entries).filter(([, entry]) => fresh(entry, now) !== undefined);
  if (kept.length > pathsLimits.estimates) {
    kept.sort(([, one], [, other]) => other.at - one.at);
    kept.length = pathsLimits.estimates;
  }
  return Object.fromEntries(kept);
}

function parseEntries(value: unknown): Entries {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) throw new TypeError('it is no object');
  const entries = Object.entries(value).flatMap(([key, entry]): [string, Entry][] => {
    const parsed = parseEntry(entry);
    return parsed === undefined ? [] : [[key, parsed]];
  });
  return Object.fromEntries(entries);
}

function parseEntry(value: unknown): Entry | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { at, ...rest } = value as Record<string, unknown>;
  if (!isPositive(at)) return undefined;
  const known = figures.flatMap((figure): [Figure, BestOfLate][] => {
    const late = readBestOfLate(rest[figure]);
    return late === undefined ? [] : [[figure, late]];
  });
  return { at, ...Object.fromEntries(known) };
}
