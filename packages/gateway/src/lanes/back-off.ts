/** Pauses between attempts that get longer: doubled each time, with jitter, so that many clients do not come at once. */
export class BackOff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #attempts = 0;

  /** @param random A number from 0 up to 1. */
  constructor(firstMs: number, mostMs: number, random: () => number = Math.random) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#random = random;
  }

  /** The next pause in milliseconds: between half and the whole of a span that doubles. */
  next(): number {
    const span = Math.min(this.#mostMs, this.#firstMs * 2 ** this.#attempts);
    if (span < this.#mostMs) this.#attempts += 1;
    return span / 2 + (this.#random() * span) / 2;
  }

  /** Begins anew, because something worked. */
  reset(): void {
    this.#attempts = 0;
  }
}
