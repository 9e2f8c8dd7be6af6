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
  bytesReceived: number;
  /** Since when it receives nothing though the others do. */
  leftOutSince: number | undefined;
  /** What the others had received then. */
  othersThen: number;
}

/**
 * Notices subflows that have gone silent, from what the kernel tells of them, before the kernel's own timers do: one that
 * has something in flight and gets no acknowledgement, or one that carried its share of a transfer and gets nothing more
 * while the others do.
 */
export class SilenceWatch {
  readonly #limits: SilenceLimits;
  readonly #watched = new Map<string, Watched>();

  constructor(limits: SilenceLimits = silenceLimits) {
    this.#limits = limits;
  }

  /**
   * Looks at all subflows of a connection that carry data.
   *
   * @param subflows By a key that stays with a subflow.
   * @param now By a steady clock, in milliseconds.
   * @returns The keys of those that are silent.
   */
  look(subflows: ReadonlyMap<string, SubflowInfo>, now: number): string[] {
    const silent: string[] = [];
    let received = 0;
    for (const { bytesReceived } of subflows.values()) received += bytesReceived;
    for (const [key, subflow] of subflows) {
      const watched = this.#watched.get(key) ?? begin(subflow);
      this.#watched.set(key, watched);
      const patience = this.#patience(subflow);
      const unanswered = noteAcknowledgements(watched, subflow, now);
      const leftOut = noteReceived(watched, subflow, received - subflow.bytesReceived, now);
      if (unanswered >= patience || leftOut >= patience) silent.push(key);
    }
    for (const key of this.#watched.keys()) if (!subflows.has(key)) this.#watched.delete(key);
    return silent;
  }

  #patience({ rttMs, rttVarianceMs }: SubflowInfo): number {
    const { silentMs, silentRoundTrips } = this.#limits;
    return Math.max(silentMs, silentRoundTrips * rttMs + 4 * rttVarianceMs);
  }
}

function begin({ bytesAcked, bytesReceived }: SubflowInfo): Watched {
  return {
    bytesAcked,
    unansweredSince: undefined,
    bytesReceived,
    leftOutSince: undefined,
    othersThen: 0,
  };
}

/** @returns How long something has been waiting to be acknowledged, in milliseconds. */
function noteAcknowledgements(watched: Watched, subflow: SubflowInfo, now: number): number {
  const { bytesAcked, unacknowledged } = subflow;
  if (unacknowledged === 0 || bytesAcked !== watched.bytesAcked) watched.unansweredSince = undefined;
  watched.bytesAcked = bytesAcked;
  if (unacknowledged > 0) watched.unansweredSince ??= now;
  return watched.unansweredSince === undefined ? 0 : now - watched.unansweredSince;
}

/** Bytes that the others must have received meanwhile: a few stragglers at the end of a transfer are no sign. */
const meanwhileBytes = 65_536;

/** @returns How long it has been left out of a transfer that it had a part in, in milliseconds. */
function noteReceived(watched: Watched, subflow: SubflowInfo, others: number, now: number): number {
  if (subflow.bytesReceived !== watched.bytesReceived) {
    watched.bytesReceived = subflow.bytesReceived;
    watched.leftOutSince = now;
    watched.othersThen = others;
    return 0;
  }
  if (watched.leftOutSince === undefined || others - watched.othersThen < meanwhileBytes) return 0;
  const silence = now - watched.leftOutSince;
  // Long ago means that the transfer ended, and another one goes on without this subflow.
  return silence > longAgoMs ? 0 : silence;
}

const longAgoMs = 1500;
