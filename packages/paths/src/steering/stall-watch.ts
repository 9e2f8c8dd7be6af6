/** Bytes below which a direction has no transfer that could stall. */
const flowingBytes = 65_536;
/** A transfer is over when nothing has moved for so long, in milliseconds. */
const transferEndMs = 2000;

interface Direction {
  bytes: number;
  movedAt: number;
  /** Bytes of the transfer under way. */
  transferred: number;
}

/**
 * Measures how long a transfer stood still when a path that carried it was left: from the last byte that arrived, in order, to
 * the first one over the paths that are left.
 */
export class StallWatch {
  readonly #directions: [down: Direction, up: Direction] = [fresh(), fresh()];
  #left: { readonly path: string; readonly direction: Direction } | undefined;

  /**
   * Takes in how far the connection is.
   *
   * @param received Bytes that arrived in order. @param acked Bytes that the other side has. @param now In milliseconds.
   * @returns The path that was left and how long that took, once, when it goes on.
   */
  look(received: number, acked: number, now: number): { path: string; stallMs: number } | undefined {
    let over: { path: string; stallMs: number } | undefined;
    for (const [index, bytes] of [received, acked].entries()) {
      const direction = this.#directions[index];
      if (direction === undefined || bytes <= direction.bytes) continue;
      const stillMs = now - direction.movedAt;
      if (this.#left?.direction === direction) {
        over = { path: this.#left.path, stallMs: Math.round(stillMs) };
        this.#left = undefined;
      }
      const more = bytes - direction.bytes;
      direction.transferred = stillMs > transferEndMs ? more : direction.transferred + more;
      direction.bytes = bytes;
      direction.movedAt = now;
    }
    return over;
  }

  /** A path that carried something is not used any more. */
  left(path: string, now: number): void {
    const [down, up] = this.#directions;
    const direction = down.transferred >= up.transferred ? down : up;
    if (direction.transferred < flowingBytes || now - direction.movedAt > transferEndMs) return;
    this.#left ??= { path, direction };
  }
}

function fresh(): Direction {
  return { bytes: 0, movedAt: Number.NEGATIVE_INFINITY, transferred: 0 };
}
