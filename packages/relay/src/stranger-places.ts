import type { Clock } from '@manypath/core';
import { Pool } from './pool.ts';

/** Who is counted as a stranger, and may have to make room for another. */
export interface Stranger {
  /** What its client is counted by; see {@link peerKey}. */
  readonly peer: string;
  /** When it came, or came a step further, by the clock. */
  readonly progressAt: number;
  /** Whether it has brought enough to be answered, or what it may have brought has not been looked at. */
  readonly isUnderWay: boolean;
  /** Closes it with a reset, so that the kernel keeps nothing of it. */
  reset(): void;
}

export interface StrangerPlacesOptions {
  /** How many there are, and how many of them for one address. */
  readonly most: number;
  readonly mostPerAddress: number;
  /** How long a stranger may take for the next step before others are preferred, in milliseconds. */
  readonly stalledMs: number;
  /** Whether users come from this address: it may have all the places. */
  readonly isFamiliar: (peer: string) => boolean;
  readonly onDisplaced: (stranger: Stranger) => void;
  readonly clock: Clock;
}

/**
 * So many places for strangers, in which everybody who comes gets one.
 *
 * When all are taken, or an address has its share of them, the first one is closed that has brought nothing that could be
 * answered, or has stalled; if there is none, the one that came further longest ago. So whoever goes on at once is in before
 * others of the same address have displaced it, whether they only hold connections, or open ever more.
 */
export class StrangerPlaces<Member extends Stranger> extends Pool<Member> {
  readonly #options: StrangerPlacesOptions;

  constructor(options: StrangerPlacesOptions) {
    super();
    this.#options = options;
  }

  /** Gives a place, another one's if it must be. */
  override add(stranger: Member): void {
    const { most, mostPerAddress, isFamiliar } = this.#options;
    const neighbours = this.of(stranger.peer);
    if (neighbours.size >= mostPerAddress && !isFamiliar(stranger.peer)) this.#displaceOneOf(neighbours);
    else if (this.size >= most) this.#displaceOneOf(this.largest());
    super.add(stranger);
  }

  #displaceOneOf(strangers: ReadonlySet<Member>): void {
    const victim = this.#leastDeserving(strangers);
    if (victim === undefined) return;
    // Its own close event comes later.
    this.remove(victim);
    this.#options.onDisplaced(victim);
    victim.reset();
  }

  #leastDeserving(strangers: Iterable<Member>): Member | undefined {
    const longAgo = this.#options.clock.now() - this.#options.stalledMs;
    let least: Member | undefined;
    for (const stranger of strangers) {
      if (stranger.progressAt < longAgo || !stranger.isUnderWay) return stranger;
      if (least === undefined || stranger.progressAt < least.progressAt) least = stranger;
    }
    return least;
  }
}
