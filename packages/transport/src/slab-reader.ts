import type { Socket } from 'node:net';
import { readInto } from '@manypath/mptcp';
import { dataHeadBytes } from '@manypath/session';

/** Takes bytes that were read. @returns Whether more may follow at once. */
export type SlabSink = (bytes: Uint8Array, release: (() => void) | undefined) => boolean;

const smallBytes = 8_192;
const largeBytes = 262_144;
/** What is shorter is copied out, so that what was read into can be used again at once. */
const copyBytes = 4_096;
/** Large slabs that are kept for the next one who needs one. */
const mostSpare = 64;

const spare: Buffer[] = [];

/**
 * Reads a socket into memory that a tunnel can send from: with room for the head of a frame before the bytes, so that nothing is
 * copied on the way to encryption, and given back when the bytes have arrived. Small until much comes.
 */
export class SlabReader {
  readonly #sink: SlabSink;
  #slab: Buffer | undefined;
  #wantsLarge = true;

  constructor(sink: SlabSink) {
    this.#sink = sink;
  }

  /** Has an open socket read in this way from now on. @returns Whether that can be done. */
  attach(socket: Socket): boolean {
    return readInto(
      socket,
      () => this.#room(),
      length => this.#read(length),
    );
  }

  /** The socket is closed. */
  close(): void {
    if (this.#slab !== undefined) give(this.#slab);
    this.#slab = undefined;
  }

  #room(): Buffer {
    this.#slab ??= this.#wantsLarge ? takeLarge() : Buffer.allocUnsafeSlow(dataHeadBytes + smallBytes);
    return this.#slab.subarray(dataHeadBytes);
  }

  #read(length: number): boolean {
    const slab = this.#slab;
    if (slab === undefined) return false;
    this.#wantsLarge = length === slab.length - dataHeadBytes || (this.#wantsLarge && length > copyBytes);
    if (length <= copyBytes) {
      const own = Buffer.allocUnsafeSlow(dataHeadBytes + length);
      slab.copy(own, dataHeadBytes, dataHeadBytes, dataHeadBytes + length);
      if (slab.length > dataHeadBytes + smallBytes) this.close();
      return this.#sink(own.subarray(dataHeadBytes), undefined);
    }
    this.#slab = undefined;
    const isLarge = slab.length > dataHeadBytes + smallBytes;
    return this.#sink(
      slab.subarray(dataHeadBytes, dataHeadBytes + length),
      isLarge ? () => give(slab) : undefined,
    );
  }
}

function takeLarge(): Buffer {
  return spare.pop() ?? Buffer.allocUnsafeSlow(dataHeadBytes + largeBytes);
}

function give(slab: Buffer): void {
  if (slab.length === dataHeadBytes + largeBytes && spare.length < mostSpare) spare.push(slab);
}
