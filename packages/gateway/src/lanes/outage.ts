import type { Clock, RelayStatus } from '@manypath/core';

/** What is known of the lanes of a link when they may have changed. */
export interface LinkAtPresent {
  /** Whether a lane answers. */
  readonly answers: boolean;
  /** Tunnels that go on over another lane when theirs is lost. */
  readonly tunnels: number;
  /** When something last came over a lane, by the clock; `undefined` when there is none. */
  readonly heardAt: number | undefined;
}

export interface OutageOptions {
  readonly clock: Clock;
  /** An outage is over: so many tunnels went on, after so many milliseconds. */
  readonly onResumed: (tunnels: number, stallMs: number) => void;
}

/** Whether tunnels wait for a network, since when, and how many went on afterwards. */
export class Outage {
  readonly #options: OutageOptions;
  #since: number | undefined;
  #resumed = 0;
  /** Whether a lane was lost meanwhile: then what it carried goes over to another. */
  #isLost = false;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Tunnels that went on after outages so far. */
  get resumed(): number {
    return this.#resumed;
  }

  /** A lane was lost. */
  lost(): void {
    this.#isLost = true;
  }

  /** Takes in how it is now. */
  note({ answers, tunnels, heardAt }: LinkAtPresent): void {
    const { clock, onResumed } = this.#options;
    if (!answers) {
      if (tunnels > 0) this.#since ??= heardAt ?? clock.now();
      return;
    }
    const since = this.#since;
    const isLost = this.#isLost;
    this.#since = undefined;
    this.#isLost = false;
    if (since === undefined || tunnels === 0) return;
    const stallMs = Math.round(clock.now() - since);
    if (!isLost && stallMs < shortMs) return;
    this.#resumed += tunnels;
    onResumed(tunnels, stallMs);
  }

  /** What status says; `null` while nothing waits. */
  waiting(tunnels: number): RelayStatus['waiting'] {
    if (this.#since === undefined || tunnels === 0) return null;
    return { connections: tunnels, forMs: Math.round(this.#options.clock.now() - this.#since) };
  }
}

/** A pause that nobody notices, in milliseconds. */
const shortMs = 500;
