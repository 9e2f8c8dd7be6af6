/** Carriers that are not used any more: how many bytes had come on each, and that none of them is taken should it come after all. */
export class GoneCarriers {
  readonly #most: number;
  readonly #received = new Map<number, number>();
  /** Those below it may not come, as soon as more than `most` have to be remembered. */
  #lowest = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Bytes of whole frames that came on one; `undefined` when nothing is remembered of it. */
  receivedOf(number: number): number | undefined {
    return this.#received.get(number);
  }

  /** Whether this one may come yet. */
  mayCome(number: number): boolean {
    return number >= this.#lowest && !this.#received.has(number);
  }

  add(number: number, received: number): void {
    this.#received.set(number, received);
    if (this.#received.size <= this.#most) return;
    const [oldest = 0] = this.#received.keys();
    this.#received.delete(oldest);
    this.#lowest = Math.max(this.#lowest, oldest + 1);
  }
}
