/** A pending call that can be withdrawn. */
export interface Timer {
  /** Withdraws the call; harmless when it has already happened. */
  cancel(): void;
}

/**
 * Time as the rest of the house sees it, so that a test can turn the hands.
 *
 * All values are milliseconds. `now` is monotonic and has no relation to the time of day.
 */
export interface Clock {
  now(): number;
  /** Calls `callback` once after `milliseconds`; never synchronously. */
  after(milliseconds: number, callback: () => void): Timer;
}

/** The platform's own clock. Its timers do not keep a Node process alive by themselves. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, callback) {
    const handle = setTimeout(callback, milliseconds) as { unref?: () => void };
    handle.unref?.();
    return { cancel: () => clearTimeout(handle) };
  },
};

/** A clock that moves only when told to: tests run an hour of back-off in no time. */
export class SimulatedClock implements Clock {
  #now = 0;
  #sequence = 0;
  readonly #pending = new Map<number, { at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, callback: () => void): Timer {
    const id = this.#sequence++;
    this.#pending.set(id, { at: this.#now + Math.max(0, milliseconds), callback });
    return { cancel: () => void this.#pending.delete(id) };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves time on, calling what falls due in order, also what such calls add. */
  advance(milliseconds: number): void {
    const target = this.#now + milliseconds;
    for (;;) {
      const next = this.#earliest(target);
      if (next === undefined) break;
      const [id, { at, callback }] = next;
      this.#pending.delete(id);
      this.#now = at;
      callback();
    }
    this.#now = target;
  }

  #earliest(target: number): [number, { at: number; callback: () => void }] | undefined {
    let best: [number, { at: number; callback: () => void }] | undefined;
    for (const entry of this.#pending) {
      if (entry[1].at <= target && (best === undefined || entry[1].at < best[1].at)) best = entry;
    }
    return best;
  }
}
