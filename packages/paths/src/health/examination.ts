import type { Clock, Timer } from '@manypath/core';
import type { Evidence } from './judge.ts';

export interface ExaminationOptions {
  readonly clock: Clock;
  /** How long an answer may take, in milliseconds. */
  readonly windowMs: number;
  /** How often is asked, spread over that time. */
  readonly probes: number;
  /** Asks once, for longer than the window: a late answer is one too. `undefined`: there is nobody to ask. */
  readonly ask: (signal: AbortSignal) => Promise<Evidence | undefined>;
  readonly onAnswer: (evidence: Evidence) => void;
  /** Nothing came back within the window. */
  readonly onSilence: () => void;
}

/**
 * One question to a path whether it works, asked several times over: one packet that is lost is no silence. It begins when it is
 * made. The first answer ends it, also one that comes after the window.
 */
export class Examination {
  /** By the clock. */
  readonly beganAt: number;
  /** Fulfilled when it is known what the outcome means for the path. */
  readonly settled: Promise<void>;
  readonly #options: ExaminationOptions;
  readonly #stop = new AbortController();
  readonly #timers: Timer[] = [];
  #settle: () => void = () => {};
  #outcome: 'open' | 'answered' | 'silent' | 'unasked' = 'open';

  constructor(options: ExaminationOptions) {
    const { clock, windowMs, probes } = options;
    this.#options = options;
    this.beganAt = clock.now();
    this.settled = new Promise(resolve => {
      this.#settle = resolve;
    });
    for (let probe = 1; probe < probes; probe++) {
      this.#timers.push(clock.after((probe * windowMs) / (probes + 1), () => void this.#probe(probe)));
    }
    this.#timers.push(clock.after(windowMs, () => this.#windowEnded()));
    void this.#probe(0);
  }

  /** Whether an answer in time may still come. */
  get isOpen(): boolean {
    return this.#outcome === 'open';
  }

  /** How it stands: `unasked` when there is nobody to ask, or it was given up. */
  get outcome(): 'open' | 'answered' | 'silent' | 'unasked' {
    return this.#outcome;
  }

  /** The path gave a sign of life, here or elsewhere. */
  answered(): void {
    // Every connection over the path is such a sign; the first one has ended this.
    if (this.#outcome === 'unasked' || this.#outcome === 'answered') return;
    this.#outcome = 'answered';
    this.#release();
    this.settle();
  }

  /** Gives it up; later answers are not heard. */
  end(): void {
    if (this.#outcome === 'open' || this.#outcome === 'silent') this.#outcome = 'unasked';
    this.#release();
  }

  /** What it means is known. */
  settle(): void {
    this.#settle();
  }

  async #probe(number: number): Promise<void> {
    const { ask, onAnswer } = this.#options;
    const evidence = await ask(this.#stop.signal);
    if (this.#stop.signal.aborted || evidence?.kind === 'silence') return;
    if (evidence === undefined) {
      this.end();
      this.settle();
    } else onAnswer(evidence.kind === 'answer' ? { ...evidence, lost: number } : evidence);
  }

  #windowEnded(): void {
    if (this.#outcome !== 'open') return;
    this.#outcome = 'silent';
    this.#options.onSilence();
  }

  #release(): void {
    this.#stop.abort();
    for (const timer of this.#timers) timer.cancel();
  }
}
