/** A frame that is sent again over another carrier when the one that it went by is lost before it was acknowledged. */
export interface SentFrame {
  readonly head: Uint8Array;
  /** What comes after the head, when that is not in one piece with it. */
  readonly rest: Uint8Array | undefined;
  /** To be called when the bytes are not needed any more. */
  readonly release: (() => void) | undefined;
}

/** What is counted for a frame that is kept beside its bytes. */
const keepingBytes = 384;

/** Bytes of a frame. */
export function sizeOf({ head, rest }: SentFrame): number {
  return rest === undefined ? head.length : head.length + rest.length;
}

/** Memory that a frame takes while it is kept, about. */
export function costOf(frame: SentFrame): number {
  return sizeOf(frame) + keepingBytes;
}

/** Frames that were sent on a carrier and not acknowledged, in their order. */
export class SentFrames {
  #frames: (SentFrame | undefined)[] = [];
  /** The count of bytes of the carrier at the end of each. */
  #ends: number[] = [];
  /** Those before it are acknowledged. */
  #first = 0;

  get isEmpty(): boolean {
    return this.#first === this.#frames.length;
  }

  add(frame: SentFrame, end: number): void {
    this.#frames.push(frame);
    this.#ends.push(end);
  }

  /** So many bytes of whole frames have arrived. @returns What the frames cost that need not be kept any more. */
  acknowledge(count: number): number {
    let freed = 0;
    let end = this.#ends[this.#first];
    while (end !== undefined && end <= count) {
      const frame = this.#frames[this.#first];
      this.#frames[this.#first] = undefined;
      this.#first += 1;
      if (frame !== undefined) {
        freed += costOf(frame);
        frame.release?.();
      }
      end = this.#ends[this.#first];
    }
    this.#forgetFirst();
    return freed;
  }

  /** Takes out those that are not acknowledged. */
  take(): SentFrame[] {
    const frames = this.#frames.slice(this.#first).filter(frame => frame !== undefined);
    this.#frames = [];
    this.#ends = [];
    this.#first = 0;
    return frames;
  }

  #forgetFirst(): void {
    if (this.#first === this.#frames.length) {
      this.#frames.length = 0;
      this.#ends.length = 0;
    } else if (this.#first > 256 && this.#first * 2 > this.#frames.length) {
      this.#frames.splice(0, this.#first);
      this.#ends.splice(0, this.#first);
    } else {
      return;
    }
    this.#first = 0;
  }
}
