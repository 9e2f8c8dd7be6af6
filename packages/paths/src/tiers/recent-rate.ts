/** How long a rate is remembered, in milliseconds. */
const windowMs = 600;
/** Shorter spans between two looks tell little, in milliseconds. */
const leastSpanMs = 20;
/** A transfer that begins doubles its rate each round trip: it is taken to grow until it is known to be level. */
const growth = 1.25;

/** The highest rate of the last moments, in which what is to come is foreseen. */
export class RecentRate {
  #rates: { at: number; bytesPerSecond: number }[] = [];
  #lookedAt: number;
  #pending = 0;
  /** Smoothed round trip of what was carried last, in milliseconds. */
  rttMs = 0;
  /** The highest rate ever, in bytes a second. */
  highest = 0;

  constructor(now: number) {
    this.#lookedAt = now;
  }

  /** Takes in what was carried since the last look. */
  count(bytes: number): void {
    this.#pending += bytes;
  }

  /** All connections were looked at: what was counted came since the last look. */
  look(now: number): void {
    const spanMs = now - this.#lookedAt;
    if (spanMs < leastSpanMs) return;
    const bytesPerSecond = (this.#pending / Math.min(spanMs, windowMs)) * 1000;
    this.#pending = 0;
    this.#lookedAt = now;
    this.highest = Math.max(this.highest, bytesPerSecond);
    this.#rates = this.#rates.filter(({ at }) => now - at < windowMs);
    if (bytesPerSecond > 0) this.#rates.push({ at: now, bytesPerSecond });
  }

  /** In bytes a second. */
  expected(now: number): number {
    return this.#rates.reduce(
      (most, { at, bytesPerSecond }) =>
        now - at < windowMs ? Math.max(most, bytesPerSecond * growth) : most,
      0,
    );
  }
}
