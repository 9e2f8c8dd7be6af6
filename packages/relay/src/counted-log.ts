import { type Clock, type Logger, systemClock, type Timer } from '@manypath/core';

export interface CountedLogOptions {
  logger: Logger;
  /** What happened. */
  message: string;
  /** How long it is only counted after it was told, in milliseconds. */
  everyMs: number;
  /** How many different addresses are told apart meanwhile. */
  addresses: number;
  clock?: Clock;
}

/**
 * Tells of what strangers can make happen as often as they like: at once when it happens the first time, then no more than
 * one line in a while, with how often it was, from how many addresses, and one of them.
 */
export class CountedLog {
  readonly #options: CountedLogOptions;
  readonly #clock: Clock;
  readonly #addresses = new Set<string>();
  #count = 0;
  #pause: Timer | undefined;

  constructor(options: CountedLogOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** @param peer Address of the one who did it, as `peerKey` gives it. */
  note(peer: string): void {
    this.#count += 1;
    if (this.#addresses.size < this.#options.addresses) this.#addresses.add(peer);
    if (this.#pause === undefined) this.#tell();
  }

  /** Tells what was only counted so far. */
  close(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
    if (this.#count > 0) this.#write();
  }

  #tell(): void {
    this.#write();
    this.#pause = this.#clock.after(this.#options.everyMs, () => {
      this.#pause = undefined;
      if (this.#count > 0) this.#tell();
    });
  }

  #write(): void {
    const [address = ''] = this.#addresses;
    const fields = { times: this.#count, address, addresses: this.#addresses.size };
    this.#count = 0;
    this.#addresses.clear();
    this.#options.logger.warn(fields, this.#options.message);
  }
}
