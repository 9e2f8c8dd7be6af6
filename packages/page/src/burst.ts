/**
 * Does something at once, and what is asked for soon after that in one go, once the browser has handled what waits already. So a
 * lone message is not delayed, and many cost little more than one.
 */
export class Burst {
  readonly #work: () => void;
  readonly #channel = new MessageChannel();
  #isRunning = false;
  #isAsked = false;

  constructor(work: () => void) {
    this.#work = work;
    this.#channel.port1.onmessage = () => this.#next();
  }

  /** Asks for the work to be done. */
  ask(): void {
    this.#isAsked = true;
    if (!this.#isRunning) this.#next();
  }

  /** Does it now. */
  flush(): void {
    this.#isAsked = false;
    this.#work();
  }

  close(): void {
    this.#isRunning = true;
    this.#channel.port1.close();
  }

  #next(): void {
    this.#isRunning = this.#isAsked;
    if (!this.#isAsked) return;
    this.#channel.port2.postMessage(0);
    this.flush();
  }
}
