/**
 * Which numbers of tunnels have been seen, when those of one end are given in steps of two: they may come over several carriers in
 * another order, and a frame may come late for a tunnel that is over.
 */
export class TunnelNumbers {
  /** All below it were seen. */
  #next: number;
  readonly #beyond = new Set<number>();

  /** @param first The first number that is given. */
  constructor(first: number) {
    this.#next = first;
  }

  /** How many were seen before others that are given earlier. */
  get waiting(): number {
    return this.#beyond.size;
  }

  has(number: number): boolean {
    return number < this.#next || this.#beyond.has(number);
  }

  add(number: number): void {
    if (number !== this.#next) {
      this.#beyond.add(number);
      return;
    }
    this.#next += 2;
    while (this.#beyond.delete(this.#next)) this.#next += 2;
  }
}
