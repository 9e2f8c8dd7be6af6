import type { Clock, Timer } from '@manypath/core';

/** Calls back when nothing has happened for a while. Telling it that something has costs next to nothing. */
export class Inactivity {
  readonly #clock: Clock;
  readonly #onIdle: () => void;
  #limitMs: number;
  #last: number;
  #timer: Timer | undefined;

  constructor(clock: Clock, limitMs: number, onIdle: () => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onIdle = onIdle;
    this.#last = clock.now();
    this.#wait(limitMs);
  }

  /** Something has happened. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Begins anew, with a limit that holds from now on. */
  restart(limitMs: number): void {
    this.touch();
    this.#limitMs = limitMs;
    this.stop();
    this.#wait(limitMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #wait(milliseconds: number): void {
    this.#timer = this.#clock.after(milliseconds, () => {
      const left = this.#last + this.#limitMs - this.#clock.now();
      if (left <= 0) this.#onIdle();
      else this.#wait(left);
    });
  }
}
