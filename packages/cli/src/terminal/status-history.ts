import type { ConnectionStatus, PathStatus, StatusDocument, SubflowStatus } from '@manypath/core';

/** A path as it is now, and as it was in the last moments; oldest first. */
export interface PathHistory {
  readonly path: PathStatus;
  /** What all programs carry over the interface, in bits a second. */
  readonly inRates: readonly number[];
  readonly outRates: readonly number[];
  /** Smoothed round trips of what Manypath carries, in milliseconds; 0 where nothing was known. */
  readonly rttsMs: readonly number[];
}

/** A connection as it is now, with its rates in bits a second. */
export interface ConnectionRate {
  readonly connection: ConnectionStatus;
  readonly inRate: number;
  readonly outRate: number;
}

/** What a live view shows. */
export interface StatusView {
  readonly status: StatusDocument;
  readonly paths: readonly PathHistory[];
  /** Those that carry most first, then the youngest. */
  readonly connections: readonly ConnectionRate[];
}

interface Counters {
  readonly at: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Series {
  counters: Counters;
  inRates: number[];
  outRates: number[];
  rttsMs: number[];
}

/** Columns of the widest sparkline. */
const kept = 120;

/** Makes rates and their history of one status document after the other. */
export class StatusHistory {
  #paths = new Map<string, Series>();
  #connections = new Map<number, Counters>();
  #subflowBytes = new Map<string, number>();

  /** @param at When the document was made, in milliseconds by any clock that only goes forward. */
  add(status: StatusDocument, at: number): StatusView {
    const busiest = this.#busiestSubflows(status);
    return {
      status,
      paths: this.#addPaths(status.paths, busiest, at),
      connections: this.#addConnections(status.connections, at),
    };
  }

  #addPaths(paths: readonly PathStatus[], busiest: readonly SubflowStatus[], at: number): PathHistory[] {
    const before = this.#paths;
    this.#paths = new Map();
    return paths.map(path => {
      const series = before.get(path.name) ?? {
        counters: counted(path, at),
        inRates: [],
        outRates: [],
        rttsMs: [],
      };
      this.#paths.set(path.name, series);
      const rates = ratesBetween(series.counters, counted(path, at));
      const subflow = busiest.find(({ local }) => path.addresses.includes(hostOf(local)));
      if (before.has(path.name)) {
        push(series.inRates, rates.inRate);
        push(series.outRates, rates.outRate);
      }
      push(series.rttsMs, subflow?.rttMs ?? path.rttMs ?? 0);
      series.counters = counted(path, at);
      return {
        path,
        inRates: [...series.inRates],
        outRates: [...series.outRates],
        rttsMs: [...series.rttsMs],
      };
    });
  }

  #addConnections(connections: readonly ConnectionStatus[], at: number): ConnectionRate[] {
    const before = this.#connections;
    this.#connections = new Map();
    const rated = connections.map(connection => {
      const counters = counted(connection, at);
      this.#connections.set(connection.id, counters);
      return { connection, ...ratesBetween(before.get(connection.id) ?? counters, counters) };
    });
    return rated.sort(
      (one, other) =>
        other.inRate + other.outRate - one.inRate - one.outRate || other.connection.id - one.connection.id,
    );
  }

  /** All subflows, the one that carried most since the last document first. */
  #busiestSubflows({ connections, relay }: StatusDocument): SubflowStatus[] {
    const all = new Map<string, SubflowStatus>();
    for (const { subflows } of [...connections, ...(relay?.lanes ?? [])]) {
      for (const subflow of subflows) all.set(`${subflow.local} ${subflow.remote}`, subflow);
    }
    const before = this.#subflowBytes;
    this.#subflowBytes = new Map([...all].map(([key, { bytesIn, bytesOut }]) => [key, bytesIn + bytesOut]));
    const grown = (key: string): number => (this.#subflowBytes.get(key) ?? 0) - (before.get(key) ?? 0);
    return [...all].sort(([one], [other]) => grown(other) - grown(one)).map(([, subflow]) => subflow);
  }
}

function counted({ bytesIn, bytesOut }: { bytesIn: number; bytesOut: number }, at: number): Counters {
  return { at, bytesIn, bytesOut };
}

function ratesBetween(before: Counters, now: Counters): { inRate: number; outRate: number } {
  const seconds = (now.at - before.at) / 1000;
  // An interface that was made anew counts from zero.
  const rate = (bytes: number): number => (seconds > 0 ? (Math.max(0, bytes) * 8) / seconds : 0);
  return { inRate: rate(now.bytesIn - before.bytesIn), outRate: rate(now.bytesOut - before.bytesOut) };
}

function push(series: number[], value: number): void {
  series.push(value);
  if (series.length > kept) series.shift();
}

/** Of `host:port`, where an IPv6 address stands in brackets. */
function hostOf(end: string): string {
  return end.slice(0, end.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}
