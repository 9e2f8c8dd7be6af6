import type { Logger } from './logger.ts';

/**
 * Something that goes wrong for a while, e.g. a full disk: said once when it begins, whoever meets it and however often, and
 * once when it is over.
 */
export class Condition {
  readonly #logger: Pick<Logger, 'info' | 'warn'>;
  readonly #over: string;
  /** Who meets it now. */
  readonly #met = new Set<unknown>();

  /** @param over What is said when nobody meets it any more. */
  constructor(logger: Pick<Logger, 'info' | 'warn'>, over: string) {
    this.#logger = logger;
    this.#over = over;
  }

  /** Whether anybody meets it. */
  get isThere(): boolean {
    return this.#met.size > 0;
  }

  /** Somebody meets it: said if he is the first. */
  begins(who: unknown, fields: object, message: string): void {
    const isNews = this.#met.size === 0;
    this.#met.add(who);
    if (isNews) this.#logger.warn(fields, message);
  }

  /** Somebody does not meet it, or not any more: said if he was the last. */
  ends(who: unknown): void {
    if (this.#met.delete(who) && this.#met.size === 0) this.#logger.info({}, this.#over);
  }
}
