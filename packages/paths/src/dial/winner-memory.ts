import { type Clock, formatIpAddress, parseIpAddress, systemClock } from '@manypath/core';
import type { Path } from '../discovery/path.ts';
import { pathsLimits } from '../limits.ts';
import type { PathOutlook } from '../outlook.ts';

/**
 * Remembers for a while which path answered where another one was silent: per host, for as long as the host is in the same
 * networks; and for a shorter while which paths were silent at all, so that the next connection to anywhere does
 * not begin with them.
 */
export class WinnerMemory {
  readonly #clock: Clock;
  readonly #winners = new Map<string, { path: string; until: number }>();
  readonly #silent = new Map<string, { until: number; pauseMs: number }>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** The path that won for `host` when the paths were the same as now. */
  winner(host: string, outlooks: readonly PathOutlook[]): string | undefined {
    const key = keyOf(host, outlooks);
    const found = this.#winners.get(key);
    if (found === undefined) return undefined;
    if (found.until > this.#clock.now()) return found.path;
    this.#winners.delete(key);
    return undefined;
  }

  /** Notes that `path` answered for `host` while one that was tried before it was silent. */
  won(host: string, outlooks: readonly PathOutlook[], path: string): void {
    const key = keyOf(host, outlooks);
    this.#winners.delete(key);
    this.#winners.set(key, { path, until: this.#clock.now() + pathsLimits.winnerMs });
    if (this.#winners.size > pathsLimits.winnersKept) forgetOldest(this.#winners);
  }

  /** Notes that a path did not answer where another one did. Each time in a row makes the doubt last longer. */
  silent(path: Path): void {
    const now = this.#clock.now();
    const last = this.#silent.get(placeOf(path));
    if (last !== undefined && last.until > now) return;
    const pauseMs = Math.min(pathsLimits.doubtMostMs, (last?.pauseMs ?? pathsLimits.doubtMs / 2) * 2);
    this.#silent.set(placeOf(path), { until: now + pauseMs, pauseMs });
    if (this.#silent.size > pathsLimits.winnersKept) forgetOldest(this.#silent);
  }

  /** Notes that a path seems silent: enough to begin elsewhere for a moment, until more is known. */
  seemsSilent(path: Path): void {
    if (this.isDoubted(path)) return;
    const pauseMs = this.#silent.get(placeOf(path))?.pauseMs ?? pathsLimits.doubtMs / 2;
    this.#silent.set(placeOf(path), { until: this.#clock.now() + pathsLimits.doubtBrieflyMs, pauseMs });
  }

  /** Notes that a path answered. */
  answered(path: Path): void {
    this.#silent.delete(placeOf(path));
  }

  isDoubted(path: Path): boolean {
    const found = this.#silent.get(placeOf(path));
    return found !== undefined && found.until > this.#clock.now();
  }
}

function placeOf({ name, network }: Path): string {
  return `${name} ${network}`;
}

function keyOf(host: string, outlooks: readonly PathOutlook[]): string {
  const networks = outlooks.map(({ path }) => path.network).sort();
  return `${neighbourhoodOf(host)} ${networks.join(' ')}`;
}

/** A name as it is; an address by its network (/24, /48): what is next to it is reached the same way. */
export function neighbourhoodOf(host: string): string {
  const address = parseIpAddress(host);
  if (address === undefined) return host.toLowerCase();
  const kept = address.family === 4 ? 3 : 6;
  return formatIpAddress(address.bytes.map((byte, position) => (position < kept ? byte : 0)));
}

function forgetOldest(entries: Map<string, unknown>): void {
  for (const key of entries.keys()) {
    entries.delete(key);
    return;
  }
}
