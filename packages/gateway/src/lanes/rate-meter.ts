/** Bytes a second of a counter, over about the last second. */
export class RateMeter {
  #bytes = 0;
  #at: number | undefined;
  #rate = 0;

  get rate(): number {
    return this.#rate;
  }

  /** @param bytes The counter, which only grows. @param now Milliseconds. */
  sample(bytes: number, now: number): void {
    const elapsed = this.#at === undefined ? 0 : now - this.#at;
    if (this.#at !== undefined && elapsed < shortestSpanMs) return;
    if (this.#at !== undefined) {
      const keep = Math.exp(-elapsed / spanMs);
      this.#rate = this.#rate * keep + (((bytes - this.#bytes) * 1000) / elapsed) * (1 - keep);
    }
    this.#bytes = bytes;
    this.#at = now;
  }
}

const spanMs = 700;
const shortestSpanMs = 50;
