/** How much came in one interval. */
export interface RateSample {
  /** When the interval ends, in milliseconds since the start. */
  atMs: number;
  bytes: number;
  /** The same in Mbit/s. */
  mbps: number;
}

/** How a transfer went. */
export interface TransferReport {
  bytes: number;
  durationMs: number;
  /** Mean rate in Mbit/s from the start to the end. */
  mbps: number;
  /** Milliseconds until the first byte; `undefined` when none came. */
  firstByteMs: number | undefined;
  /** Longest time without a byte after the first one, up to the end: the stall that a person sees. */
  longestGapMs: number;
  /** When that gap began, in milliseconds since the start. */
  longestGapAtMs: number;
  series: RateSample[];
}

export interface TransferMeterOptions {
  /** Length of the intervals of `series`, in milliseconds. Default 100. */
  intervalMs?: number;
  /** Milliseconds of a steady clock. Default `performance.now`. */
  now?: () => number;
}

/**
 * Notes when the bytes of a transfer arrive. It starts when it is made; it does not care where bytes come from: a
 * socket, a browser's progress events, the counters of a link.
 */
export class TransferMeter {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #start: number;
  #bytes = 0;
  #first: number | undefined;
  #last: number;
  #gap = 0;
  #gapAt = 0;
  #buckets: number[] = [];

  constructor(options: TransferMeterOptions = {}) {
    this.#intervalMs = options.intervalMs ?? 100;
    this.#now = options.now ?? (() => performance.now());
    this.#start = this.#now();
    this.#last = this.#start;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that arrived now. None is no arrival. */
  add(bytes: number): void {
    if (bytes <= 0) return;
    const now = this.#now();
    if (this.#first === undefined) this.#first = now;
    else this.#noteGap(now);
    this.#last = now;
    this.#bytes += bytes;
    const bucket = Math.floor((now - this.#start) / this.#intervalMs);
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + bytes;
  }

  /** As `add`, for sources that tell a sum: what a page says it has so far. */
  total(bytes: number): void {
    this.add(bytes - this.#bytes);
  }

  /** How it has gone until now. Silence at the end counts as a gap, so ask at once when a transfer is over. */
  report(): TransferReport {
    const now = this.#now();
    if (this.#first !== undefined) this.#noteGap(now);
    const durationMs = now - this.#start;
    return {
      bytes: this.#bytes,
      durationMs,
      mbps: toMbps(this.#bytes, durationMs),
      firstByteMs: this.#first === undefined ? undefined : this.#first - this.#start,
      longestGapMs: this.#gap,
      longestGapAtMs: this.#gapAt,
      series: this.#series(durationMs),
    };
  }

  #noteGap(now: number): void {
    const gap = now - this.#last;
    if (gap <= this.#gap) return;
    this.#gap = gap;
    this.#gapAt = this.#last - this.#start;
  }

  #series(durationMs: number): RateSample[] {
    const count = Math.ceil(durationMs / this.#intervalMs);
    return Array.from({ length: count }, (_, index) => {
      const bytes = this.#buckets[index] ?? 0;
      const atMs = Math.min(durationMs, (index + 1) * this.#intervalMs);
      return { atMs, bytes, mbps: toMbps(bytes, atMs - index * this.#intervalMs) };
    });
  }
}

/** Reads a stream to its end, and tells how it came. `onChunk` sees every part, for a check of its content. */
export async function measureTransfer(
  source: AsyncIterable<Uint8Array>,
  options: TransferMeterOptions & { onChunk?: (chunk: Uint8Array) => void } = {},
): Promise<TransferReport> {
  const meter = new TransferMeter(options);
  for await (const chunk of source) {
    meter.add(chunk.length);
    options.onChunk?.(chunk);
  }
  return meter.report();
}

function toMbps(bytes: number, ms: number): number {
  return ms <= 0 ? 0 : (bytes * 8) / 1000 / ms;
}
