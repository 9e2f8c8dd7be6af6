import { ByteWriter } from './byte-cursor.ts';
import { decodeLatin1 } from './bytes.ts';
import { ManypathError } from './errors.ts';
import { type HeaderField, parseField, readFieldTolerantly } from './http-fields.ts';
import { coreLimits } from './limits.ts';

/** How long the body of a message is: bytes, in chunks until one is empty, or until the connection ends; RFC 9112 §6.3. */
export type HttpBodyLength = number | 'chunked' | 'until-close';

/** A body that cannot be read on: what belongs to it and what comes behind it cannot be told apart. */
export class HttpBodyError extends ManypathError {
  /** What a server answers to it. */
  readonly status = 400;

  constructor(reason: string) {
    super('MANYPATH_HTTP_BODY_INVALID', `bad HTTP message: ${reason}`);
  }
}

export interface HttpBodyLimits {
  httpChunkLineBytes: number;
  httpHeadBytes: number;
  httpHeaderCount: number;
}

/** Options of {@link HttpBodyReader}. */
export interface HttpBodyOptions {
  /** Whether chunks are taken as browsers take them: lines that end in LF, blanks around sizes. Default false. */
  tolerant?: boolean;
  limits?: Partial<HttpBodyLimits>;
}

const lineFeed = 10;
const strictSize = /^([0-9A-Fa-f]{1,16})(?:;[\t -~\x80-\xff]*)?$/;
const tolerantSize = /^[ \t]*([0-9A-Fa-f]{1,32})[ \t]*(?:;.*)?$/s;

/**
 * Takes the framing off the body of an HTTP/1.1 message; RFC 9112 §6 and §7.1.
 *
 * Bytes in, bytes of the content out: feed it pieces of any size until {@link ended}; {@link rest} then holds what followed.
 */
export class HttpBodyReader {
  readonly #length: HttpBodyLength;
  readonly #tolerant: boolean;
  readonly #limits: HttpBodyLimits;
  readonly #line = new ByteWriter();
  readonly #trailers: HeaderField[] = [];
  #state: 'data' | 'size' | 'data-end' | 'trailers' | 'ended';
  #left: number;
  #trailerBytes = 0;
  #rest: Uint8Array = new Uint8Array();
  #tidy = true;

  constructor(length: HttpBodyLength, { tolerant = false, limits = {} }: HttpBodyOptions = {}) {
    this.#length = length;
    this.#tolerant = tolerant;
    this.#limits = { ...coreLimits, ...limits };
    this.#left = typeof length === 'number' ? length : Number.POSITIVE_INFINITY;
    this.#state = length === 'chunked' ? 'size' : length === 0 ? 'ended' : 'data';
  }

  /** Whether the body is over. */
  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** The bytes behind the body, once it is over: a view of what was fed last. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** The fields behind the last chunk. */
  get trailers(): readonly HeaderField[] {
    return this.#trailers;
  }

  /** Whether nothing had to be tolerated: another reader would have found the same end. */
  get tidy(): boolean {
    return this.#tidy;
  }

  /**
   * @returns Pieces of the content: views of `bytes`.
   * @throws HttpBodyError `MANYPATH_HTTP_BODY_INVALID`
   * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, a trailer field that is none
   */
  push(bytes: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let at = 0;
    while (at < bytes.length && this.#state !== 'ended') {
      if (this.#state === 'data') {
        const piece = bytes.subarray(at, Math.min(bytes.length, at + this.#left));
        pieces.push(piece);
        at += piece.length;
        this.#left -= piece.length;
        if (this.#left === 0) this.#state = this.#length === 'chunked' ? 'data-end' : 'ended';
      } else {
        at = this.#readLine(bytes, at);
      }
    }
    this.#rest = bytes.subarray(at);
    return pieces;
  }

  /**
   * The connection has ended.
   *
   * @returns Whether the body is whole. Some servers leave out the empty line behind the last chunk: nothing of the content is
   *   missing then.
   */
  finish(): boolean {
    if (this.#state === 'ended') return true;
    if (this.#length === 'until-close') {
      this.#state = 'ended';
      return true;
    }
    const onlyTheEndIsMissing =
      this.#tolerant && this.#state === 'trailers' && this.#trailers.length === 0 && this.#isBlankLine();
    if (!onlyTheEndIsMissing) return false;
    this.#tidy = false;
    this.#state = 'ended';
    return true;
  }

  #isBlankLine(): boolean {
    return /^\r?$/.test(decodeLatin1(this.#line.peek()));
  }

  #readLine(bytes: Uint8Array, from: number): number {
    const end = bytes.indexOf(lineFeed, from);
    const piece = bytes.subarray(from, end === -1 ? bytes.length : end + 1);
    const most = this.#state === 'trailers' ? this.#limits.httpHeadBytes : this.#limits.httpChunkLineBytes;
    if (this.#line.length + piece.length > most) throw new HttpBodyError('a line of a chunk is too long');
    this.#line.bytes(piece);
    if (end === -1) {
      this.#checkBegun();
      return bytes.length;
    }
    const text = decodeLatin1(this.#line.peek());
    this.#line.clear();
    this.#takeLine(this.#withoutEnd(text), text.length);
    return from + piece.length;
  }

  /** What stands where a chunk should end is refused before its line is over. */
  #checkBegun(): void {
    if (this.#state === 'data-end' && !this.#isBlankLine())
      throw new HttpBodyError('a chunk is longer than it says');
  }

  #withoutEnd(text: string): string {
    if (text.endsWith('\r\n')) return text.slice(0, -2);
    if (!this.#tolerant) throw new HttpBodyError('a line of a chunk does not end in CR LF');
    this.#tidy = false;
    return text.slice(0, -1);
  }

  #takeLine(line: string, length: number): void {
    switch (this.#state) {
      case 'size':
        this.#left = this.#sizeOf(line);
        this.#state = this.#left === 0 ? 'trailers' : 'data';
        break;
      case 'data-end':
        if (line !== '') throw new HttpBodyError('a chunk is longer than it says');
        this.#state = 'size';
        break;
      case 'trailers':
        if (line === '') this.#state = 'ended';
        else this.#takeTrailer(line, length);
    }
  }

  #sizeOf(line: string): number {
    const digits = (this.#tolerant ? tolerantSize : strictSize).exec(line)?.[1];
    const size = digits === undefined ? Number.NaN : Number.parseInt(digits, 16);
    if (!Number.isSafeInteger(size)) throw new HttpBodyError('the size of a chunk is no number');
    if (this.#tolerant && !strictSize.test(line)) this.#tidy = false;
    return size;
  }

  #takeTrailer(line: string, length: number): void {
    this.#trailerBytes += length;
    const { httpHeadBytes, httpHeaderCount } = this.#limits;
    if (this.#trailerBytes > httpHeadBytes || this.#trailers.length === httpHeaderCount)
      throw new HttpBodyError('there are too many trailer fields');
    if (!this.#tolerant) {
      this.#trailers.push(parseField(line));
      return;
    }
    const { field, tidy } = readFieldTolerantly(line);
    if (field !== undefined) this.#trailers.push(field);
    if (!tidy) this.#tidy = false;
  }
}

/** The size line of a chunk; RFC 9112 §7.1. */
export function encodeChunkSize(length: number): string {
  return `${length.toString(16)}\r\n`;
}
