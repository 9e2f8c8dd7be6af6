import type { PathHealth } from '@manypath/core';

/** When a path changes its state. */
export interface JudgeLimits {
  /** A round trip this many times the least one lately counts as slow. */
  slowFactor: number;
  /** And it is longer than this, in milliseconds. */
  slowMs: number;
  /** Slow or lost probes among the last ones after which a path is degraded. */
  degradedAfter: number;
  /** How many of the last probes are looked at. */
  memory: number;
}

export const judgeLimits: JudgeLimits = {
  slowFactor: 4,
  slowMs: 400,
  degradedAfter: 3,
  memory: 8,
};

/** Why a path is degraded on which larger packets are lost. */
export const smallPacketsReason = 'only small packets pass: larger ones are lost without a word (MTU)';

/** Round trips that are remembered. */
const roundTripsKept = 4;

/** How a path did once. */
export type Evidence =
  /** `lost`: how many probes before the one that was answered were not. Default 0. */
  | { readonly kind: 'answer'; readonly rttMs: number | undefined; readonly lost?: number }
  /** It was asked several times over, and nothing came back, while another path answered. */
  | { readonly kind: 'silence' }
  /** Whether packets as large as connections send them get through, or `small` ones only. */
  | { readonly kind: 'sizes'; readonly pass: 'all' | 'small' }
  /** A page that only a free network gives was given. */
  | { readonly kind: 'free' }
  | { readonly kind: 'portal'; readonly place: string };

/** What is thought of a path, and why. */
export interface Verdict {
  readonly health: PathHealth;
  /** In words; `null` when it is up, or nothing is known. */
  readonly reason: string | null;
  /** The least round trip lately, in milliseconds. */
  readonly rttMs: number | undefined;
  /** Larger packets are lost on it without a word: TCP works with small segments only. */
  readonly takesSmallOnly: boolean;
}

/**
 * What is thought of one path, from how it did lately. One lost probe is no proof, but several in a row are; one answer is proof
 * of life; and a path that loses or delays many is degraded until most come back in time.
 */
export class HealthJudge {
  readonly #limits: JudgeLimits;
  #health: PathHealth = 'unknown';
  #portal: string | undefined;
  /** The last ones, the latest at the end: whether they came back in time. */
  readonly #lately: boolean[] = [];
  /** Round trips of the last answers, in milliseconds. */
  readonly #roundTrips: number[] = [];
  #rttMs: number | undefined;
  #takesSmallOnly = false;

  constructor(limits: JudgeLimits = judgeLimits) {
    this.#limits = limits;
  }

  get verdict(): Verdict {
    return {
      health: this.#health,
      reason: this.#reason(),
      rttMs: this.#rttMs,
      takesSmallOnly: this.#takesSmallOnly,
    };
  }

  /** The longest of the last few round trips, in milliseconds: what lies in queues counts, too. */
  get lateRttMs(): number | undefined {
    return this.#roundTrips.length === 0 ? undefined : Math.max(...this.#roundTrips);
  }

  /** Takes in how the path did. @returns Whether that changed its state, or what fits through it. */
  hear(evidence: Evidence): boolean {
    const [before, tookSmallOnly] = [this.#health, this.#takesSmallOnly];
    if (evidence.kind === 'portal') {
      this.#portal = evidence.place;
      this.#health = 'captive';
    } else if (evidence.kind === 'free') {
      this.#portal = undefined;
      this.#hearAnswer(undefined, 0);
    } else if (evidence.kind === 'sizes') {
      this.#takesSmallOnly = evidence.pass === 'small';
      if (this.#health !== 'dead' && this.#health !== 'captive') this.#weigh();
    } else if (evidence.kind === 'silence') {
      this.#note(false);
      this.#health = 'dead';
    } else {
      this.#hearAnswer(evidence.rttMs, evidence.lost ?? 0);
    }
    return this.#health !== before || this.#takesSmallOnly !== tookSmallOnly;
  }

  /** The path has changed: what was known is no more. */
  forget(): void {
    this.#health = 'unknown';
    this.#portal = undefined;
    this.#lately.length = 0;
    this.#roundTrips.length = 0;
    this.#rttMs = undefined;
    this.#takesSmallOnly = false;
  }

  #hearAnswer(rttMs: number | undefined, lost: number): void {
    for (let probe = 0; probe < lost; probe++) this.#note(false);
    this.#note(!this.#isSlow(rttMs));
    if (rttMs !== undefined) {
      this.#rttMs = Math.min(this.#rttMs ?? rttMs, rttMs);
      this.#roundTrips.push(rttMs);
      if (this.#roundTrips.length > roundTripsKept) this.#roundTrips.shift();
    }
    // What was lost while it was dead says nothing about how it is now.
    if (this.#health === 'dead') this.#lately.length = 0;
    // A portal answers too: only what it would not give ends it.
    if (this.#portal !== undefined) {
      this.#health = 'captive';
      return;
    }
    this.#weigh();
  }

  /** How well a path works that does. */
  #weigh(): void {
    this.#health = this.#takesSmallOnly || this.#isLate() ? 'degraded' : 'up';
  }

  #isLate(): boolean {
    return this.#lately.filter(isInTime => !isInTime).length >= this.#limits.degradedAfter;
  }

  #isSlow(rttMs: number | undefined): boolean {
    if (rttMs === undefined || this.#rttMs === undefined) return false;
    return rttMs > this.#limits.slowMs && rttMs > this.#rttMs * this.#limits.slowFactor;
  }

  #note(isInTime: boolean): void {
    this.#lately.push(isInTime);
    if (this.#lately.length > this.#limits.memory) this.#lately.shift();
  }

  #reason(): string | null {
    switch (this.#health) {
      case 'dead':
        return 'it is up, but nothing comes back';
      case 'degraded':
        return this.#takesSmallOnly ? smallPacketsReason : 'much is lost on it, or comes late';
      case 'captive':
        return `a portal answers in place of the world: ${this.#portal}`;
      default:
        return null;
    }
  }
}
