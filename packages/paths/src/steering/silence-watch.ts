import type { SubflowInfo } from '@manypath/mptcp';

/** When a subflow counts as silent. */
export interface SilenceLimits {
  /** Milliseconds without a sign of life that are normal on any path. */
  silentMs: number;
  /** The same in round trips, where those are long. */
  silentRoundTrips: number;
}

export const silenceLimits: SilenceLimits = { silentMs: 220, silentRoundTrips: 3 };

interface Watched {
  bytesAcked: number;
  /** Since when something waits to be acknowledged and nothing was, by the clock. */
  unansweredSince: number | undefined;
  /** When the connection last got further. */
  bytesReceived: number;
  /** At the last look. */
  lastReceived: number;
}

/** The connection as a whole: when it last got further, and what had arrived by then. */
interface Progress {
  inOrder: number;
  at: number;
  arrived: number;
}

/** What arrives beyond a gap before the gap is blamed on a subflow, in bytes. */
const beyondGapBytes = 32_768;

/**
 * Notices subflows that have gone silent, from what the kernel tells of them, before the kernel's own timers do: one that
 * has something in flight and gets no acknowledgement, or one that gets nothing while the others deliver what comes after a gap.
 */
export class SilenceWatch {
  readonly #limits: SilenceLimits;
  readonly #watched = new Map<string, Watched>();
  /** Bytes that came over subflows while they were watched: one that is watched anew brings nothing with it. */
  #arrived = 0;
  #progress: Progress | undefined;

  constructor(limits: SilenceLimits = silenceLimits) {
    this.#limits = limits;
  }

  /**
   * Looks at all subflows of a connection that carry data.
   *
   * @param subflows By a key that stays with a subflow.
   * @param inOrder Bytes that the connection has received without a gap.
   * @param now By a steady clock, in milliseconds.
   * @returns The keys of those that are silent.
   */
  look(subflows: ReadonlyMap<string, SubflowInfo>, inOrder: number, now: number): string[] {
    const gapMs = this.#noteProgress(subflows, inOrder, now);
    const silent: string[] = [];
    for (const [key, subflow] of subflows) {
      const watched = this.#watched.get(key) ?? begin(subflow);
      this.#watched.set(key, watched);
      const unanswered = noteAcknowledgements(watched, subflow, now);
      const isLeftOut = gapMs > 0 && subflow.bytesReceived === watched.bytesReceived;
      const silence = Math.max(unanswered, isLeftOut ? gapMs : 0);
      if (silence >= this.#patience(subflow)) silent.push(key);
    }
    if (gapMs === 0) this.#noteReceived(subflows);
    for (const key of this.#watched.keys()) if (!subflows.has(key)) this.#watched.delete(key);
    return silent;
  }

  /** @returns For how long a gap has held the connection up while more and more came after it, in milliseconds. */
  #noteProgress(subflows: ReadonlyMap<string, SubflowInfo>, inOrder: number, now: number): number {
    for (const [key, { bytesReceived }] of subflows) {
      const watched = this.#watched.get(key);
      if (watched === undefined) continue;
      this.#arrived += Math.max(0, bytesReceived - watched.lastReceived);
      watched.lastReceived = bytesReceived;
    }
    if (this.#progress === undefined || inOrder !== this.#progress.inOrder) {
      this.#progress = { inOrder, at: now, arrived: this.#arrived };
      return 0;
    }
    return this.#arrived - this.#progress.arrived < beyondGapBytes ? 0 : now - this.#progress.at;
  }

  #noteReceived(subflows: ReadonlyMap<string, SubflowInfo>): void {
    for (const [key, { bytesReceived }] of subflows) {
      const watched = this.#watched.get(key);
      if (watched !== undefined) watched.bytesReceived = bytesReceived;
    }
  }

  #patience({ rttMs, rttVarianceMs }: SubflowInfo): number {
    const { silentMs, silentRoundTrips } = this.#limits;
    return Math.max(silentMs, silentRoundTrips * rttMs + 4 * rttVarianceMs);
  }
}

function begin({ bytesAcked, bytesReceived }: SubflowInfo): Watched {
  return { bytesAcked, unansweredSince: undefined, bytesReceived, lastReceived: bytesReceived };
}

/** @returns How long something has been waiting to be acknowledged, in milliseconds. */
function noteAcknowledgements(watched: Watched, subflow: SubflowInfo, now: number): number {
  const { bytesAcked, unacknowledged } = subflow;
  if (unacknowledged === 0 || bytesAcked !== watched.bytesAcked) watched.unansweredSince = undefined;
  watched.bytesAcked = bytesAcked;
  if (unacknowledged > 0) watched.unansweredSince ??= now;
  return watched.unansweredSince === undefined ? 0 : now - watched.unansweredSince;
}
