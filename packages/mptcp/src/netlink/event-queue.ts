/**
 * Events between a producer that cannot be held back (the kernel) and a reader that takes its time. Bounded: when
 * the reader falls too far behind, or the kernel lost some, what waits is replaced by one overrun event, upon which
 * the reader reads the tables anew.
 */
export class EventQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #overrun: T;
  readonly #most: number;
  readonly #onIdle: (idle: boolean) => void;
  readonly #onEnd: () => void;
  #waiting: T[] = [];
  #readers: { resolve: (result: IteratorResult<T, undefined>) => void; reject: (error: unknown) => void }[] =
    [];
  #ended = false;
  #failure: { error: unknown } | undefined;

  /**
   * @param options.overrun what takes the place of lost events
   * @param options.most events that may wait
   * @param options.onIdle told `false` when a reader begins to wait, `true` when none waits any more
   * @param options.onEnd called once, when nothing more is wanted
   */
  constructor(options: { overrun: T; most: number; onIdle?: (idle: boolean) => void; onEnd?: () => void }) {
    this.#overrun = options.overrun;
    this.#most = Math.max(1, options.most);
    this.#onIdle = options.onIdle ?? (() => {});
    this.#onEnd = options.onEnd ?? (() => {});
  }

  /** Whether it takes no more events. */
  get ended(): boolean {
    return this.#ended;
  }

  push(event: T): void {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      if (this.#readers.length === 0) this.#onIdle(true);
      reader.resolve({ value: event, done: false });
    } else if (this.#waiting.length < this.#most) {
      this.#waiting.push(event);
    } else {
      this.#waiting = [this.#overrun];
    }
  }

  /** Some events were lost before they came here. Those that wait are older: they are true, but of no use. */
  lost(): void {
    if (this.#ended) return;
    this.#waiting = [];
    this.push(this.#overrun);
  }

  /** Ends the iteration with an error, once what waits has been read. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#failure = { error };
    this.#end();
  }

  /** Ends the iteration at once. */
  close(): void {
    this.#waiting = [];
    this.#failure = undefined;
    if (!this.#ended) this.#end();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const event = this.#waiting.shift();
    if (event !== undefined) return Promise.resolve({ value: event, done: false });
    const failure = this.#failure;
    if (failure !== undefined) {
      this.#failure = undefined;
      return Promise.reject(failure.error);
    }
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      if (this.#readers.length === 1) this.#onIdle(false);
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): void {
    this.#ended = true;
    const readers = this.#readers;
    this.#readers = [];
    const failure = readers.length > 0 ? this.#failure : undefined;
    for (const [i, reader] of readers.entries()) {
      if (i === 0 && failure !== undefined) {
        this.#failure = undefined;
        reader.reject(failure.error);
      } else reader.resolve({ value: undefined, done: true });
    }
    this.#onEnd();
  }
}
