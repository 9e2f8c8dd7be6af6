import { type Clock, systemClock, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { HelperRefusedError } from './errors.ts';

/**
 * The moment in which sockets that are made are left to user space. Several clients may share one.
 *
 * Meanwhile connections of all other programs get no further subflows: so it is short, and open for a small share of the
 * time only, however often it is asked for.
 */
export class UserWindow {
  readonly #leave: () => (() => void) | undefined;
  readonly #clock: Clock;
  readonly #holders = new Set<object>();
  #putBack: (() => void) | undefined;
  #timer: Timer | undefined;
  #openedAt = 0;
  /** How long it may be open still, in milliseconds, as of `#countedAt`. */
  #leftMs: number = pathsLimits.windowBurstMs;
  #countedAt: number;

  /** @param leave Leaves sockets to user space until what it returns is called; `undefined` when it cannot. */
  constructor(leave: () => (() => void) | undefined, clock: Clock = systemClock) {
    this.#leave = leave;
    this.#clock = clock;
    this.#countedAt = clock.now();
  }

  /**
   * @param holder Who asks for it: shut it is when all have closed it again.
   * @throws HelperRefusedError `MANYPATH_HELPER_REFUSED` when it was open for too long of late, or cannot be opened
   */
  open(holder: object): void {
    if (this.#putBack === undefined) {
      if (this.#left() <= 0)
        throw new HelperRefusedError('sockets were left to user space for too long of late');
      this.#putBack = this.#leave();
      if (this.#putBack === undefined)
        throw new HelperRefusedError('sockets cannot be left to user space now');
      this.#openedAt = this.#clock.now();
      this.#timer = this.#clock.after(pathsLimits.windowMs, () => this.#shut());
    }
    this.#holders.add(holder);
  }

  close(holder: object): void {
    if (this.#holders.delete(holder) && this.#holders.size === 0) this.#shut();
  }

  #shut(): void {
    this.#timer?.cancel();
    this.#holders.clear();
    if (this.#putBack === undefined) return;
    this.#putBack();
    this.#putBack = undefined;
    this.#leftMs = this.#left() - (this.#clock.now() - this.#openedAt);
  }

  #left(): number {
    const now = this.#clock.now();
    const regained = (now - this.#countedAt) * pathsLimits.windowShare;
    this.#leftMs = Math.min(pathsLimits.windowBurstMs, this.#leftMs + regained);
    this.#countedAt = now;
    return this.#leftMs;
  }
}
