/** Bytes to be sent in one frame. */
export interface Piece {
  readonly bytes: Uint8Array;
  /** Whether the 16 bytes before them are free for the head of their frame. */
  readonly hasRoom: boolean;
  /** To be called when they are not needed any more. */
  readonly release: (() => void) | undefined;
}

interface Written extends Piece {
  /** When a part of what was written is on its way already. */
  readonly parts?: Parts | undefined;
}

/** What a tunnel's user has written and may not be sent yet, cut as frames and credit allow. */
export class SendQueue {
  readonly #written: Written[] = [];

  get isEmpty(): boolean {
    return this.#written.length === 0;
  }

  add(piece: Piece): void {
    this.#written.push(piece);
  }

  /** Takes the next bytes, of one writing; `undefined` when there are none. @param most At least 1. */
  take(most: number): Piece | undefined {
    const [first] = this.#written;
    if (first === undefined || first.bytes.length <= most) return this.#written.shift();
    const { bytes, hasRoom, release } = first;
    const parts = first.parts ?? (release === undefined ? undefined : new Parts(release));
    parts?.addOne();
    // What lies before the rest is part of this frame, which may have to be sent again: there is no room there.
    this.#written[0] = { bytes: bytes.subarray(most), hasRoom: false, release: parts?.letGo, parts };
    return { bytes: bytes.subarray(0, most), hasRoom, release: parts?.letGo };
  }

  clear(): void {
    for (const { release } of this.#written.splice(0)) release?.();
  }
}

/** Parts of one writing: its bytes are needed until each of them has arrived, in whichever order they do. */
class Parts {
  #count = 1;
  readonly #release: () => void;

  constructor(release: () => void) {
    this.#release = release;
  }

  addOne(): void {
    this.#count += 1;
  }

  readonly letGo = (): void => {
    this.#count -= 1;
    if (this.#count === 0) this.#release();
  };
}
