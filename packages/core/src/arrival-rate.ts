/**
 * The rate of a path from when the bytes of a short transfer arrived.
 *
 * A transfer of some hundred kilobytes is over before its window is open, so its mean says little. But what was sent in one
 * go arrives at the rate of the narrowest link, so the fastest stretch of arrivals tells that rate.
 */
export class ArrivalRate {
  readonly #options: ArrivalRateOptions;
  /** Turns of reading: when they began and ended, and how much had arrived by then. */
  readonly #points: { from: number; at: number; bytes: number }[] = [];

  constructor(options: Partial<ArrivalRateOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  /** @param now By a steady clock, in milliseconds. @param bytes Bytes that arrived just now. */
  add(bytes: number, now: number): void {
    const last = this.#points.at(-1);
    const total = (last?.bytes ?? 0) + bytes;
    // What is read in one turn was waiting to be read: only where that ends does time mean something.
    if (last !== undefined && now - last.from < this.#options.turnMs) {
      last.at = now;
      last.bytes = total;
    } else {
      this.#points.push({ from: now, at: now, bytes: total });
    }
  }

  /** The rate in Mbit/s; `undefined` when too little has arrived to tell. */
  mbps(): number | undefined {
    const { stretchBytes, skipBytes } = this.#options;
    let best: number | undefined;
    let end = 0;
    for (const start of this.#points) {
      if (start.bytes < skipBytes) continue;
      while ((this.#points[end]?.bytes ?? Number.POSITIVE_INFINITY) - start.bytes < stretchBytes) end += 1;
      const stop = this.#points[end];
      if (stop === undefined) break;
      const rate = ((stop.bytes - start.bytes) * 8) / 1000 / (stop.at - start.at);
      if (best === undefined || rate > best) best = rate;
    }
    return best ?? this.#mean();
  }

  /** A path so fast that all came in a turn or two: some lower bound of its rate. */
  #mean(): number | undefined {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    if (last.bytes < 2 * this.#options.stretchBytes) return undefined;
    return (last.bytes * 8) / 1000 / Math.max(this.#options.turnMs, last.at - first.from);
  }
}

export interface ArrivalRateOptions {
  /** A stretch of arrivals is at least so long, in bytes. Default 65 536. */
  stretchBytes: number;
  /** what comes first is not counted: shapers let a burst pass, and windows are small, in bytes. Default 32 768. */
  skipBytes: number;
  /** Arrivals within this time count as one turn, in milliseconds. Default 4. */
  turnMs: number;
}

const defaults: ArrivalRateOptions = { stretchBytes: 65_536, skipBytes: 32_768, turnMs: 4 };
