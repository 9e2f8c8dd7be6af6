/**
 * How far the other end may send on a tunnel: a window beyond what the reader has taken. It is wider for a reader that keeps up while
 * the sender has more than it may send.
 */
export class ReceiveWindow {
  readonly #first: number;
  #window: number;
  #widest: number;
  #limit: number;
  #received = 0;
  #consumed = 0;
  /** The last limit that the other end was held up by. */
  #blockedUpTo = 0;

  /**
   * @param window Bytes that may come without having been taken.
   * @param widest The same once it has grown.
   * @param atFirst Bytes that may come until the first of them were taken.
   */
  constructor(window: number, widest: number, atFirst: number) {
    this.#first = window;
    this.#window = window;
    this.#widest = widest;
    this.#limit = atFirst;
  }

  /** The offset up to which may be sent. */
  get limit(): number {
    return this.#limit;
  }

  /** Bytes that came, in their order. */
  get received(): number {
    return this.#received;
  }

  /** Bytes that came, and that the reader has not taken. */
  get unread(): number {
    return this.#received - this.#consumed;
  }

  arrive(bytes: number): void {
    this.#received += bytes;
  }

  /** @returns How many of them had come and were not taken before. */
  consume(bytes: number): number {
    const taken = Math.min(bytes, this.unread);
    this.#consumed += taken;
    return taken;
  }

  /**
   * Lets more come once half a window has been taken.
   *
   * @param isScarce Whether readers hold so much that no window may be wider than at first.
   * @returns The new limit, when there is one.
   */
  credit(isScarce: boolean): number | undefined {
    const window = isScarce ? Math.min(this.#window, this.#first) : this.#window;
    const limit = this.#consumed + window;
    return limit - this.#limit >= window / 2 ? this.#raise(limit) : undefined;
  }

  /**
   * The other end had more than it might send.
   *
   * @param limit Up to which it has sent.
   * @returns The new limit, when there is one.
   */
  blocked(limit: number, isScarce: boolean): number | undefined {
    if (limit <= this.#blockedUpTo || limit > this.#limit) return undefined;
    if (this.#consumed === 0 && this.#limit < this.#window) return undefined;
    this.#blockedUpTo = limit;
    if (isScarce || this.unread > this.#window / 2) return undefined;
    this.#window = Math.max(this.#window, Math.min(this.#window * 2, this.#widest));
    return this.#raise(this.#consumed + this.#window);
  }

  /** Grows no wider than this from now on. */
  bound(bytes: number): void {
    this.#widest = bytes;
    this.#window = Math.min(this.#window, bytes);
  }

  #raise(limit: number): number | undefined {
    if (limit <= this.#limit) return undefined;
    this.#limit = limit;
    return limit;
  }
}
