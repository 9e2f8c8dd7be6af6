import type { SubflowInfo } from '@manypath/mptcp';

/** What a look at the subflows of a connection told. */
export interface Looked {
  /** Over these something came just now. */
  readonly alive: readonly string[];
  /** Over these nothing comes any more, although they carried something and others go on. */
  readonly doubtful: readonly string[];
}

/** When a subflow is doubted that only carries nothing. */
export interface LifeLimits {
  /** How long nothing came over it, in milliseconds; twice as long each time it turned out to work. */
  quietMs: number;
  quietMostMs: number;
  /** What it had carried before, in bytes. */
  carriedBytes: number;
  /** What the others carried since, in bytes. */
  othersBytes: number;
  /** How long ago something may have come that counts as just now, in milliseconds: looks may be far apart. */
  justNowMs: number;
}

export const lifeLimits: LifeLimits = {
  quietMs: 110,
  quietMostMs: 3520,
  carriedBytes: 65_536,
  othersBytes: 65_536,
  justNowMs: 60,
};

interface Watched {
  /** Received and acknowledged bytes at the last look. */
  bytes: number;
  heardAt: number;
  /** What all subflows had carried by then. */
  totalAt: number;
  doubtedAt: number;
  quietMs: number;
}

/**
 * Tells over which subflows of a connection something comes, and which have become quiet while the others carry on. A quiet one need not
 * be broken: the other side may have nothing for it. Its path is worth a question, no more.
 */
export class LifeWatch {
  readonly #limits: LifeLimits;
  readonly #watched = new Map<string, Watched>();
  #total = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** When something last came over any of them. */
  #aliveAt = Number.NEGATIVE_INFINITY;

  constructor(limits: LifeLimits = lifeLimits) {
    this.#limits = limits;
  }

  /** @param subflows By a key that stays with a subflow. @param now By a steady clock, in milliseconds. */
  look(subflows: ReadonlyMap<string, SubflowInfo>, now: number): Looked {
    const { justNowMs } = this.#limits;
    const isLate = now - this.#lookedAt > justNowMs;
    this.#lookedAt = now;
    const heard: string[] = [];
    for (const [key, { bytesReceived, bytesAcked }] of subflows) {
      const bytes = bytesReceived + bytesAcked;
      const watched = this.#watched.get(key);
      const more = watched === undefined ? 0 : bytes - watched.bytes;
      this.#total += more;
      if (watched === undefined) this.#watched.set(key, this.#begin(bytes, now));
      else if (more > 0) heard.push(key);
    }
    if (heard.length > 0) this.#aliveAt = now;
    for (const key of heard) this.#note(key, subflows.get(key), now);
    const alive = heard.filter(
      key => !isLate || (subflows.get(key)?.lastDataReceivedMs ?? Number.POSITIVE_INFINITY) <= justNowMs,
    );
    const doubtful: string[] = [];
    for (const [key, watched] of this.#watched) {
      const subflow = subflows.get(key);
      if (subflow === undefined) this.#watched.delete(key);
      else if (this.#isQuiet(watched, subflow, now)) doubtful.push(key);
    }
    return { alive, doubtful };
  }

  #begin(bytes: number, now: number): Watched {
    const { quietMs } = this.#limits;
    return { bytes, heardAt: now, totalAt: this.#total, doubtedAt: Number.NEGATIVE_INFINITY, quietMs };
  }

  #note(key: string, subflow: SubflowInfo | undefined, now: number): void {
    const watched = this.#watched.get(key);
    if (watched === undefined || subflow === undefined) return;
    watched.bytes = subflow.bytesReceived + subflow.bytesAcked;
    watched.heardAt = now;
    watched.totalAt = this.#total;
  }

  #isQuiet(watched: Watched, { rttMs, rttVarianceMs }: SubflowInfo, now: number): boolean {
    const { carriedBytes, othersBytes, quietMostMs } = this.#limits;
    if (watched.bytes < carriedBytes || this.#total - watched.totalAt < othersBytes) return false;
    const patience = Math.max(watched.quietMs, rttMs + 2 * rttVarianceMs);
    if (now - Math.max(watched.heardAt, watched.doubtedAt) < patience) return false;
    if (now - this.#aliveAt >= patience) return false;
    watched.doubtedAt = now;
    watched.quietMs = Math.min(2 * watched.quietMs, quietMostMs);
    return true;
  }
}
