import { type Clock, systemClock, type Timer } from './clock.ts';
import type { Logger } from './logger.ts';

export interface CountedLogOptions {
  logger: Pick<Logger, 'warn'>;
  /** What happened. */
  message: string;
  /** By what those who do it are known: the fields of the log for one of them, and for how many there were. */
  fields: readonly [one: string, number: string];
  /** How long it is only counted after it was told, in milliseconds. */
  everyMs: number;
  /** How many of them are told apart meanwhile. */
  most: number;
  clock?: Clock;
}

/**
 * Tells of what strangers can make happen as often as they like: at once when it happens the first time, then no more than
 * one line in a while, with how often it was, by how many, and one of them.
 */
export class CountedLog {
  readonly #options: CountedLogOptions;
  readonly #clock: Clock;
  readonly #who = new Set<string | number | undefined>();
  #count = 0;
  #pause: Timer | undefined;

  constructor(options: CountedLogOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** @param who Did it, e.g. an address; `undefined` when that is not known. */
  note(who: string | number | undefined): void {
    this.#count += 1;
    if (this.#who.size < this.#options.most) this.#who.add(who);
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
    const { logger, message, fields } = this.#options;
    const [one, number] = fields;
    const [first] = this.#who;
    logger.warn({ times: this.#count, [one]: first, [number]: this.#who.size }, message);
    this.#count = 0;
    this.#who.clear();
  }
}
