/**
 * The rate of a path from when the bytes of a short transfer arrived.
 *
 * A transfer of some hundred kilobytes is over before its window is open, so its mean says little. But what was sent in one
 * go arrives at the rate of the narrowest link, so the faster stretches of arrivals tell that rate. The fastest ones do not: what
 * something on the way, or a busy computer, held back for a moment arrives faster than any link.
 */
export class ArrivalRate {
  readonly #options: ArrivalRateOptions;
  /** Turns of reading: when they began and ended, and how much had arrived by then. */
  readonly #points: { from: number; at: number; asked: number; bytes: number }[] = [];

  constructor(options: Partial<ArrivalRateOptions> = {}) {
    this.#options = { ...defaults, ...options };
  }

  /**
   * @param bytes Bytes that arrived just now. @param now By a steady clock, in milliseconds.
   * @param asked When it was begun to find that out: a busy computer may take its time over it. Default `now`.
   */
  add(bytes: number, now: number, asked = now): void {
    const last = this.#points.at(-1);
    const total = (last?.bytes ?? 0) + bytes;
    // What is read in one turn was waiting to be read: only where that ends does time mean something.
    if (last !== undefined && now - last.from < this.#options.turnMs) {
      last.at = now;
      last.asked = asked;
      last.bytes = total;
    } else {
      this.#points.push({ from: now, at: now, asked, bytes: total });
    }
  }

  /** The rate in Mbit/s; `undefined` when too little has arrived to tell. */
  mbps(): number | undefined {
    const { stretchBytes, skipBytes } = this.#options;
    const rates: number[] = [];
    let end = 0;
    for (const start of this.#points) {
      if (start.bytes < skipBytes) continue;
      while ((this.#points[end]?.bytes ?? Number.POSITIVE_INFINITY) - start.bytes < stretchBytes) end += 1;
      const stop = this.#points[end];
      if (stop === undefined) break;
      rates.push(((stop.bytes - start.bytes) * 8) / 1000 / (stop.at - start.asked));
    }
    rates.sort((one, other) => one - other);
    return rates[Math.floor(fasterShare * (rates.length - 1))] ?? this.#mean();
  }

  /** A path so fast that all came in a turn or two: some lower bound of its rate. */
  #mean(): number | undefined {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (first === undefined || last === undefined) return undefined;
    if (last.bytes < 2 * this.#options.stretchBytes) return undefined;
    return (last.bytes * 8) / 1000 / Math.max(this.#options.turnMs, last.at - first.from);
  }
}

/** Of all stretches this share is slower: the sender pauses in most of them. */
const fasterShare = 0.9;

export interface ArrivalRateOptions {
  /** A stretch of arrivals is at least so long, in bytes. Default 65 536. */
  stretchBytes: number;
  /** what comes first is not counted: shapers let a burst pass, and windows are small, in bytes. Default 32 768. */
  skipBytes: number;
  /** Arrivals within this time count as one turn, in milliseconds. Default 4. */
  turnMs: number;
}

const defaults: ArrivalRateOptions = { stretchBytes: 65_536, skipBytes: 32_768, turnMs: 4 };
