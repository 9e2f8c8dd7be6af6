import { type Clock, systemClock, type Timer } from '@manypath/core';
import { leaveToUserspace } from '@manypath/mptcp';

/** How long sockets are left to user space at most, whatever is asked, in milliseconds. */
const windowMs = 30;

/** The moment in which sockets that are made are left to user space. Several clients may share one. */
export class UserWindow {
  readonly #clock: Clock;
  #holders = 0;
  #putBack: (() => void) | undefined;
  #timer: Timer | undefined;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  open(): void {
    this.#holders += 1;
    if (this.#putBack !== undefined) return;
    this.#putBack = leaveToUserspace();
    this.#timer = this.#clock.after(windowMs, () => this.#shut());
  }

  close(): void {
    this.#holders -= 1;
    if (this.#holders <= 0) this.#shut();
  }

  #shut(): void {
    this.#timer?.cancel();
    this.#holders = 0;
    this.#putBack?.();
    this.#putBack = undefined;
  }
}
