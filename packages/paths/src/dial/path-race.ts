import type { Clock, Timer } from '@manypath/core';

/** One try of a race, as it stands. */
export interface RaceEntry<C> {
  readonly candidate: C;
  /** When it began, by the clock of the race. */
  readonly startedAt: number;
  /** Why it failed; `undefined` while it is silent, and for the winner. */
  readonly error: unknown;
}

export interface RaceOutcome<C, T> {
  /** What won; `undefined` when every candidate failed. */
  readonly won: { readonly candidate: C; readonly result: T; readonly tookMs: number } | undefined;
  /** Every try that was begun, in order. */
  readonly entries: readonly RaceEntry<C>[];
}

export interface PathRaceOptions<C, T> {
  readonly candidates: readonly C[];
  /** Begins a try. The first one begins inside `racePaths` itself. `signal` ends it when it has lost. */
  readonly start: (candidate: C, signal: AbortSignal) => Promise<T>;
  /** Gets rid of what a loser came up with after all. */
  readonly discard: (result: T) => void;
  /** How long `last` has before `next` begins beside it, in milliseconds. */
  readonly delay: (last: C, next: C) => number;
  readonly clock: Clock;
  /** Ends the race: every try is given up, and the promise rejected with the signal's reason. */
  readonly signal: AbortSignal;
}

/** A race that runs. */
export interface PathRace<C, T> {
  readonly outcome: Promise<RaceOutcome<C, T>>;
  /** The tries so far. */
  entries(): readonly RaceEntry<C>[];
}

/**
 * Tries candidates one after the other until one answers (RFC 8305 §5): the next begins when the last one has had its
 * time, or at once when it failed. The first to answer wins; the others are given up.
 */
export function racePaths<C, T>(options: PathRaceOptions<C, T>): PathRace<C, T> {
  const race = new Race(options);
  race.begin();
  return { outcome: race.outcome, entries: () => race.entries };
}

interface Running<C> {
  readonly candidate: C;
  readonly startedAt: number;
  readonly abort: AbortController;
  error: unknown;
}

class Race<C, T> {
  readonly outcome: Promise<RaceOutcome<C, T>>;
  readonly entries: Running<C>[] = [];
  readonly #options: PathRaceOptions<C, T>;
  #failed = 0;
  #over = false;
  #timer: Timer | undefined;
  #settle: (outcome: RaceOutcome<C, T>) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  readonly #onAbort = (): void => this.#end(() => this.#reject(this.#options.signal.reason));

  constructor(options: PathRaceOptions<C, T>) {
    this.#options = options;
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#reject = reject;
    });
  }

  begin(): void {
    const { candidates, signal } = this.#options;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
    else if (candidates.length === 0) this.#end(() => this.#settle({ won: undefined, entries: [] }));
    else this.#startNext();
  }

  #startNext(): void {
    this.#timer?.cancel();
    const { candidates, start, clock, delay } = this.#options;
    const candidate = candidates[this.entries.length];
    if (this.#over || candidate === undefined) return;
    const entry: Running<C> = {
      candidate,
      startedAt: clock.now(),
      abort: new AbortController(),
      error: undefined,
    };
    this.entries.push(entry);
    const following = candidates[this.entries.length];
    if (following !== undefined) {
      this.#timer = clock.after(delay(candidate, following), () => this.#startNext());
    }
    let result: Promise<T>;
    try {
      result = start(candidate, entry.abort.signal);
    } catch (error) {
      result = Promise.reject(error);
    }
    result.then(
      value => this.#answered(entry, value),
      (error: unknown) => this.#failedWith(entry, error),
    );
  }

  #answered(entry: Running<C>, result: T): void {
    const { clock, discard } = this.#options;
    // Two may answer in the same turn; the later one loses.
    if (this.#over) {
      discard(result);
      return;
    }
    const tookMs = clock.now() - entry.startedAt;
    this.#end(
      () => this.#settle({ won: { candidate: entry.candidate, result, tookMs }, entries: this.entries }),
      entry,
    );
  }

  #failedWith(entry: Running<C>, error: unknown): void {
    if (this.#over) return;
    entry.error = error ?? new Error('failed');
    this.#failed++;
    if (this.#failed === this.#options.candidates.length) {
      this.#end(() => this.#settle({ won: undefined, entries: this.entries }));
    } else if (entry === this.entries.at(-1)) this.#startNext();
  }

  /** @param winner Its try is over already: to abort it would only cost an error with its stack. */
  #end(tell: () => void, winner?: Running<C>): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#options.signal.removeEventListener('abort', this.#onAbort);
    tell();
    for (const entry of this.entries) if (entry !== winner) entry.abort.abort();
  }
}
