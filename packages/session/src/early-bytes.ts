/** What is counted for a stretch beside its bytes. */
const stretchBytes = 256;

interface Stretch {
  readonly offset: number;
  /** Longer than what it holds, as a rule. */
  buffer: Uint8Array;
  length: number;
}

/**
 * Bytes of a tunnel that came before those that go before them, because they came by another carrier: copied, each once, and joined
 * where they touch.
 */
export class EarlyBytes {
  /** By their offsets; none touches another. */
  readonly #stretches: Stretch[] = [];
  #bytes = 0;

  get stretches(): number {
    return this.#stretches.length;
  }

  /** Memory that is held, about. */
  get cost(): number {
    return this.#bytes + this.#stretches.length * stretchBytes;
  }

  /** The offset after the last one. */
  get end(): number {
    const last = this.#stretches.at(-1);
    return last === undefined ? 0 : last.offset + last.length;
  }

  /** Keeps what is not there yet of these bytes. */
  add(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    let from = offset;
    let at = this.#firstThatReaches(offset);
    while (from < end) {
      const there = this.#stretches[at];
      const gapEnd = Math.min(end, there?.offset ?? end);
      if (from < gapEnd) at = this.#fill(at, from, bytes.subarray(from - offset, gapEnd - offset));
      if (there === undefined) return;
      from = Math.max(from, there.offset + there.length);
      at += 1;
    }
  }

  /** Takes the bytes that begin at `offset` or before it, without those before it; `undefined` when the next ones are not there. */
  take(offset: number): Uint8Array | undefined {
    for (;;) {
      const [first] = this.#stretches;
      if (first === undefined || first.offset > offset) return undefined;
      this.#stretches.shift();
      this.#bytes -= first.length;
      if (first.offset + first.length > offset) {
        return first.buffer.subarray(offset - first.offset, first.length);
      }
    }
  }

  #firstThatReaches(offset: number): number {
    let at = this.#stretches.length;
    for (; at > 0; at--) {
      const before = this.#stretches[at - 1];
      if (before === undefined || before.offset + before.length <= offset) break;
    }
    return at;
  }

  /** Puts bytes before the stretch at `at`, or behind the one before that, if they touch. @returns Where the one at `at` is then. */
  #fill(at: number, offset: number, bytes: Uint8Array): number {
    this.#bytes += bytes.length;
    const before = this.#stretches[at - 1];
    if (before !== undefined && before.offset + before.length === offset) {
      append(before, bytes);
      return at;
    }
    this.#stretches.splice(at, 0, { offset, buffer: new Uint8Array(bytes), length: bytes.length });
    return at + 1;
  }
}

function append(stretch: Stretch, bytes: Uint8Array): void {
  const needed = stretch.length + bytes.length;
  if (needed > stretch.buffer.length) {
    const larger = new Uint8Array(Math.max(needed, stretch.buffer.length * 2));
    larger.set(stretch.buffer.subarray(0, stretch.length));
    stretch.buffer = larger;
  }
  stretch.buffer.set(bytes, stretch.length);
  stretch.length = needed;
}
