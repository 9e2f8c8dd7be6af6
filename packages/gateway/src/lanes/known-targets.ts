import { type Authority, type Clock, formatAuthority } from '@manypath/core';

/** Remembers for a while which targets could be reached; the oldest are forgotten first. */
export class KnownTargets {
  readonly #most: number;
  readonly #keepMs: number;
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(most: number, keepMs: number, clock: Clock) {
    this.#most = most;
    this.#keepMs = keepMs;
    this.#clock = clock;
  }

  has(target: Authority): boolean {
    const until = this.#until.get(formatAuthority(target));
    return until !== undefined && until > this.#clock.now();
  }

  add(target: Authority): void {
    const key = formatAuthority(target);
    this.#until.delete(key);
    this.#until.set(key, this.#clock.now() + this.#keepMs);
    if (this.#until.size <= this.#most) return;
    for (const oldest of this.#until.keys()) {
      this.#until.delete(oldest);
      break;
    }
  }

  delete(target: Authority): void {
    this.#until.delete(formatAuthority(target));
  }
}
