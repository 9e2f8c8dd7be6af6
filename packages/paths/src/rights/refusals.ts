import { type Clock, type Logger, systemClock, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';

/** Says who was turned away: the first time at once, after that their number once in a while. */
export class Refusals {
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #clock: Clock;
  readonly #counts = new Map<number | undefined, number>();
  #timer: Timer | undefined;

  constructor(logger: Pick<Logger, 'warn'>, clock: Clock = systemClock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** @param uid Of whoever was turned away; `undefined` when that is not known. */
  note(uid: number | undefined): void {
    const before = this.#counts.get(uid);
    this.#counts.set(uid, (before ?? 0) + 1);
    if (before === undefined) this.#logger.warn({ uid }, 'a client of the helper was turned away');
    this.#timer ??= this.#clock.after(pathsLimits.helperRefusalsMs, () => this.#sum());
  }

  close(): void {
    this.#timer?.cancel();
  }

  #sum(): void {
    this.#timer = undefined;
    for (const [uid, count] of this.#counts) {
      if (count > 1)
        this.#logger.warn({ uid, times: count - 1 }, 'a client of the helper was turned away again');
    }
    this.#counts.clear();
  }
}
