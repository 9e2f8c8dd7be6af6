import type { Clock, Timer } from '@manypath/core';
import type { FailedAttempt } from './errors.ts';

/** One address being dialled. */
export interface Attempt<T> {
  /** Settles once: with the connection, or with the reason why there is none. */
  readonly result: Promise<T>;
  /** Gives up and frees everything. Called for losers only; `result` may stay unsettled then. */
  abandon(): void;
}

export interface RaceOptions<T> {
  /** In the order they are tried; not empty. */
  addresses: readonly string[];
  /** Begins an attempt. The first call happens inside `race` itself, before it returns. */
  start: (address: string) => Attempt<T>;
  attemptDelay: number;
  clock: Clock;
}

/** A running race. */
export interface Race<T> {
  /** The winner, or `undefined` when every address failed: see `failures`. */
  readonly winner: Promise<T | undefined>;
  /** What failed so far, in the order of `addresses`. */
  failures(): FailedAttempt[];
  /** Abandons every attempt, also one that won while nobody waits for it any more. */
  stop(): void;
}

/**
 * Dials addresses one after the other until one answers (RFC 8305 §5): the next starts when `attemptDelay` has
 * passed, or at once when the one before failed. The first to answer wins, and all others are abandoned.
 */
export function race<T>({ addresses, start, attemptDelay, clock }: RaceOptions<T>): Race<T> {
  const errors = new Map<number, Error>();
  const running = new Map<number, Attempt<T>>();
  let next = 0;
  let over = false;
  let won: Attempt<T> | undefined;
  let timer: Timer | undefined;
  let settle: (winner: T | undefined) => void = () => {};
  const winner = new Promise<T | undefined>(resolve => {
    settle = resolve;
  });

  const finish = (): void => {
    over = true;
    timer?.cancel();
    for (const attempt of running.values()) attempt.abandon();
    running.clear();
  };
  const failed = (index: number, cause: unknown): void => {
    running.delete(index);
    if (over) return;
    errors.set(index, cause instanceof Error ? cause : new Error(String(cause)));
    if (errors.size === addresses.length) {
      finish();
      settle(undefined);
    } else if (index === next - 1) startNext();
  };
  const startNext = (): void => {
    timer?.cancel();
    const index = next++;
    const address = addresses[index];
    if (address === undefined) return;
    let attempt: Attempt<T>;
    try {
      attempt = start(address);
    } catch (error) {
      failed(index, error);
      return;
    }
    running.set(index, attempt);
    if (next < addresses.length) timer = clock.after(attemptDelay, startNext);
    attempt.result.then(
      result => {
        running.delete(index);
        // Two may answer in the same turn; the later one loses.
        if (over) return attempt.abandon();
        finish();
        won = attempt;
        settle(result);
      },
      (error: unknown) => failed(index, error),
    );
  };
  startNext();

  return {
    winner,
    failures: () =>
      [...errors]
        .sort(([a], [b]) => a - b)
        .map(([index, error]) => ({ address: addresses[index] ?? '', error })),
    stop() {
      finish();
      won?.abandon();
    },
  };
}
