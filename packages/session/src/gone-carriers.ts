/** Numbers of carriers that are not used any more: should one of them come after all, it is not taken. */
export class GoneCarriers {
  readonly #most: number;
  readonly #numbers = new Set<number>();
  /** All below it count as gone, as soon as more than `most` have to be remembered. */
  #lowest = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether it is remembered that this one is gone. */
  has(number: number): boolean {
    return this.#numbers.has(number);
  }

  /** Whether this one may come yet. */
  mayCome(number: number): boolean {
    return number >= this.#lowest && !this.#numbers.has(number);
  }

  add(number: number): void {
    this.#numbers.add(number);
    if (this.#numbers.size <= this.#most) return;
    const [oldest = 0] = this.#numbers;
    this.#numbers.delete(oldest);
    this.#lowest = Math.max(this.#lowest, oldest + 1);
  }
}
