import type { SessionLimits } from './limits.ts';

export interface UnreadBudgetOptions {
  readonly limits: Pick<SessionLimits, 'unreadBytes' | 'mostUnreadBytes'>;
  /** Readers have taken enough: windows may be as wide as they were. */
  readonly onPlenty: () => void;
  /** Some reader is to be done without. */
  readonly onTooMuch: () => void;
}

/** What the readers of all tunnels of a session have got and not taken. */
export class UnreadBudget {
  readonly #options: UnreadBudgetOptions;
  #bytes = 0;
  #isScarce = false;

  constructor(options: UnreadBudgetOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it is so much that no tunnel gets a wider window than at first; until a quarter of the limit is free again. */
  get isScarce(): boolean {
    return this.#isScarce;
  }

  /** Counts bytes that came, or that were taken or dropped when negative. */
  count(bytes: number): void {
    this.#bytes += bytes;
    const { unreadBytes, mostUnreadBytes } = this.#options.limits;
    if (!this.#isScarce) {
      this.#isScarce = this.#bytes > unreadBytes;
    } else if (this.#bytes <= unreadBytes * 0.75) {
      this.#isScarce = false;
      this.#options.onPlenty();
    }
    if (this.#bytes > mostUnreadBytes && bytes > 0) this.#options.onTooMuch();
  }
}
