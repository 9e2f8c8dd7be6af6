import type { Clock } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import type { NameAnswer } from './ask-server.ts';
import { NameUnknownError } from './errors.ts';

interface Entry {
  readonly answer: Promise<NameAnswer>;
  /** By the clock; while it is being asked for, for ever. */
  until: number;
}

/**
 * Answers, for as long as they hold. Who asks for the same name at the same time shares one lookup: a browser opens six
 * connections to a host at once.
 */
export class NameCache {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string, ask: () => Promise<NameAnswer>): Promise<NameAnswer> {
    const known = this.#entries.get(key);
    if (known !== undefined && known.until > this.#clock.now()) return known.answer;
    const entry: Entry = { answer: ask(), until: Number.POSITIVE_INFINITY };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > pathsLimits.namesKept) this.#forgetOldest();
    entry.answer.then(
      ({ ttlSeconds }) => this.#keep(entry, secondsKept(ttlSeconds)),
      (error: unknown) => {
        const seconds = secondsUnknown(error);
        if (seconds > 0) this.#keep(entry, seconds);
        else if (this.#entries.get(key) === entry) this.#entries.delete(key);
      },
    );
    return entry.answer;
  }

  forget(): void {
    this.#entries.clear();
  }

  forgetOne(key: string): void {
    this.#entries.delete(key);
  }

  #keep(entry: Entry, seconds: number): void {
    entry.until = this.#clock.now() + seconds * 1000;
  }

  #forgetOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }
}

function secondsKept(ttlSeconds: number): number {
  return Math.min(pathsLimits.nameMostSeconds, Math.max(pathsLimits.nameLeastSeconds, ttlSeconds));
}

/** How long a failure is kept: only that a name does not exist is worth it. */
function secondsUnknown(error: unknown): number {
  const most = pathsLimits.nameUnknownSeconds;
  return error instanceof NameUnknownError ? Math.min(most, error.ttlSeconds ?? most) : 0;
}
