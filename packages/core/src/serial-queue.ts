/**
 * Runs jobs one after the other, in the order in which they were given. A job that fails fails for whoever gave it; the
 * next one runs all the same.
 */
export class SerialQueue {
  readonly #onFailure: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  /** @param onFailure Told what a job died of that nobody waits for. It must not throw. */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Runs a job after all earlier ones. @returns Its outcome, which is the caller's to handle. */
  run<T>(job: () => T | Promise<T>): Promise<T> {
    const outcome = this.#last.then(job);
    this.#last = outcome.then(nothing, nothing);
    return outcome;
  }

  /** Runs a job after all earlier ones that nobody waits for: its failure is reported. */
  post(job: () => unknown): void {
    this.run(job).then(nothing, this.#onFailure);
  }

  /** Fulfilled when every job that was given so far has ended, however it did. */
  get idle(): Promise<void> {
    return this.#last;
  }
}

function nothing(): void {}
