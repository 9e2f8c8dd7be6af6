/** What a wire does to the packets of each direction. */
export interface WireSetting {
  /** One-way delay, in milliseconds. */
  delayMs: number;
  /** The delay of each packet differs by up to this much either way, in milliseconds; the order is kept. */
  jitterMs: number;
  /** Packets lost at random, in percent. */
  lossPercent: number;
}

interface Waiting {
  frame: Uint8Array;
  due: number;
}

/**
 * One direction of a wire: frames go in, and come out later, in order, or not at all. It knows no sockets and no
 * clock, so times (milliseconds of any steady clock) are given to it.
 */
export class DelayLine {
  #setting: WireSetting;
  readonly #capacity: number;
  readonly #random: () => number;
  #queue: (Waiting | undefined)[] = [];
  #head = 0;
  #lastDue = Number.NEGATIVE_INFINITY;

  /** @param capacity frames in flight at most; more are lost as in a full queue */
  constructor(setting: WireSetting, capacity: number, random: () => number = Math.random) {
    this.#setting = setting;
    this.#capacity = capacity;
    this.#random = random;
  }

  /** Holds for frames that come from now on; those under way keep their time. */
  set setting(setting: WireSetting) {
    this.#setting = setting;
  }

  /** Frames under way. */
  get length(): number {
    return this.#queue.length - this.#head;
  }

  /** When the next frame comes out; `undefined` when none is under way. */
  get nextDue(): number | undefined {
    return this.#queue[this.#head]?.due;
  }

  /** Puts a frame in. `false` when it was lost. The line keeps `frame` as it is: pass a copy of a buffer used again. */
  offer(frame: Uint8Array, now: number): boolean {
    if (this.#loses() || this.length >= this.#capacity) return false;
    const { delayMs, jitterMs } = this.#setting;
    const wanted = now + Math.max(0, delayMs + (jitterMs === 0 ? 0 : (this.#random() * 2 - 1) * jitterMs));
    this.#lastDue = Math.max(this.#lastDue, wanted);
    this.#queue.push({ frame, due: this.#lastDue });
    return true;
  }

  #loses(): boolean {
    const { lossPercent } = this.#setting;
    return lossPercent > 0 && this.#random() * 100 < lossPercent;
  }

  /** The next frame whose time has come. */
  take(now: number): Uint8Array | undefined {
    const first = this.#queue[this.#head];
    if (first === undefined || first.due > now) return undefined;
    this.#queue[this.#head] = undefined;
    this.#head += 1;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return first.frame;
  }
}
