import { createHash } from 'node:crypto';
import { LabOptionError } from './errors.ts';

/** Content repeats after this many bytes, but for the eight that number each page. */
const pageBytes = 65_536;

const basePage = makeBasePage();

/** Noise from a fixed seed (xorshift32): it does not compress, and is the same everywhere. */
function makeBasePage(): Buffer {
  const words = new Uint32Array(pageBytes / 4);
  let state = 0x6d616e79;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state >>> 0;
  }
  return Buffer.from(words.buffer);
}

/**
 * The `length` bytes that stand at `offset` in the endless content every origin of a lab serves.
 *
 * Each 64 KiB page is the same noise behind its own number, so whatever is lost, doubled or put in another place
 * differs. Made at the speed of copying memory.
 */
export function patternBytes(offset: number, length: number): Buffer {
  requireWhole('offset', offset);
  requireWhole('length', length);
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const within = (offset + done) % pageBytes;
    const page = pageAt((offset + done - within) / pageBytes);
    done += page.copy(bytes, done, within);
  }
  return bytes;
}

const page = Buffer.from(basePage);

/** The page of this number, in the one buffer that serves all of them in turn. */
function pageAt(number: number): Buffer {
  page.writeUInt32LE(number >>> 0, 0);
  page.writeUInt32LE(Math.floor(number / 2 ** 32), 4);
  return page;
}

/** Compares a transfer with the pattern while it comes, chunk by chunk. */
export class PatternCheck {
  #offset: number;
  #mismatchAt: number | undefined;

  /** @param offset where in the content the first chunk belongs */
  constructor(offset = 0) {
    requireWhole('offset', offset);
    this.#offset = offset;
  }

  /** Takes the next bytes. */
  push(chunk: Uint8Array): void {
    for (let done = 0; done < chunk.length && this.#mismatchAt === undefined; ) {
      const at = this.#offset + done;
      const within = at % pageBytes;
      const expected = pageAt((at - within) / pageBytes);
      const length = Math.min(chunk.length - done, pageBytes - within);
      const part = chunk.subarray(done, done + length);
      if (expected.compare(part, 0, length, within, within + length) !== 0) {
        this.#mismatchAt = at + part.findIndex((byte, index) => byte !== expected[within + index]);
      }
      done += length;
    }
    this.#offset += chunk.length;
  }

  /** Where the next chunk belongs: after a transfer from 0, how long it was. */
  get offset(): number {
    return this.#offset;
  }

  /** Where in the content the first wrong byte was; `undefined` while all is right. */
  get mismatchAt(): number | undefined {
    return this.#mismatchAt;
  }
}

/** The SHA-256 of part of the content, in hex. A gigabyte takes about a second. */
export function patternSha256(length: number, offset = 0): string {
  const hash = createHash('sha256');
  const step = 16 * pageBytes;
  for (let done = 0; done < length; done += step) {
    hash.update(patternBytes(offset + done, Math.min(step, length - done)));
  }
  return hash.digest('hex');
}

function requireWhole(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new LabOptionError(`${what} must be a whole number from 0, not ${value}`);
  }
}
