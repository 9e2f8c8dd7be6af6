import { concatBytes, decodeLatin1, encodeText } from './bytes.ts';
import { ManypathError } from './errors.ts';
import { coreLimits } from './limits.ts';

/** One header field, name as received. */
export type HeaderField = readonly [name: string, value: string];

/** The head of an HTTP/1.1 request; RFC 9112 §3 and §5. */
export interface HttpRequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: '1.0' | '1.1';
  readonly headers: readonly HeaderField[];
}

/** The head of an HTTP/1.1 response; RFC 9112 §4 and §5. */
export interface HttpResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly version: '1.0' | '1.1';
  readonly headers: readonly HeaderField[];
}

/** A head that must not be acted on. */
export class HttpHeadError extends ManypathError {
  /** What a server answers to it: 400, 414, 431 or 505. */
  readonly status: 400 | 414 | 431 | 505;

  constructor(status: HttpHeadError['status'], reason: string) {
    const tooLarge = status === 414 || status === 431;
    super(
      tooLarge ? 'MANYPATH_HTTP_HEAD_TOO_LARGE' : 'MANYPATH_HTTP_HEAD_INVALID',
      `bad HTTP message: ${reason}`,
    );
    this.status = status;
  }
}

export interface HttpHeadLimits {
  httpHeadBytes: number;
  httpHeaderCount: number;
  httpTargetBytes: number;
}

const lineFeed = 10;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the bytes that a field value must not hold
const forbiddenInValue = /[\u0000-\u0008\u000a-\u001f\u007f]/;

/**
 * Collects an HTTP/1.1 message head and parses it strictly: no obsolete line folding, no blanks before a colon, no
 * bare carriage returns, since what two programs read differently can be used to smuggle requests.
 *
 * Bytes in, a head out: feed it pieces of any size until it returns one; {@link rest} then holds what followed.
 */
abstract class HttpHeadParser<Head> {
  readonly #limits: HttpHeadLimits;
  #collected: Uint8Array = new Uint8Array();
  #rest: Uint8Array = new Uint8Array();

  constructor(limits: Partial<HttpHeadLimits> = {}) {
    this.#limits = { ...coreLimits, ...limits };
  }

  /** The bytes after the head, once it is complete. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /**
   * @returns The head once its last byte has arrived, before that `undefined`.
   * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, `MANYPATH_HTTP_HEAD_TOO_LARGE`
   */
  push(bytes: Uint8Array): Head | undefined {
    const searchFrom = Math.max(0, this.#collected.length - 3);
    this.#collected = concatBytes([this.#collected, bytes]);
    const end = endOfHead(this.#collected, searchFrom);
    if ((end ?? this.#collected.length) > this.#limits.httpHeadBytes) {
      const inFirstLine = !this.#collected.subarray(0, this.#limits.httpHeadBytes).includes(lineFeed);
      throw new HttpHeadError(
        inFirstLine ? 414 : 431,
        `the head is over ${this.#limits.httpHeadBytes} bytes`,
      );
    }
    if (end === undefined) {
      this.#refuseGarbageEarly();
      return undefined;
    }
    this.#rest = this.#collected.subarray(end);
    return this.#parse(decodeLatin1(this.#collected.subarray(0, end)));
  }

  protected abstract parseFirstLine(
    line: string,
    headers: readonly HeaderField[],
    limits: HttpHeadLimits,
  ): Head;

  #parse(text: string): Head {
    const [firstLine = '', ...lines] = text.replace(/^(\r?\n)+/, '').split(/\r?\n/);
    // The text ends in an empty line and its line break: two empty pieces.
    const fields = lines.slice(0, -2);
    if (fields.length > this.#limits.httpHeaderCount) {
      throw new HttpHeadError(431, `it has more than ${this.#limits.httpHeaderCount} header fields`);
    }
    return this.parseFirstLine(firstLine, fields.map(parseField), this.#limits);
  }

  /** Binary noise may never contain an empty line: it is refused at its first byte that no head can hold. */
  #refuseGarbageEarly(): void {
    for (const byte of this.#collected.subarray(0, 16)) {
      if (byte < 32 && byte !== 10 && byte !== 13) throw new HttpHeadError(400, 'it is not HTTP');
      if (byte > 126) throw new HttpHeadError(400, 'it is not HTTP');
    }
  }
}

/** Parses request heads; see {@link HttpHeadParser}. */
export class HttpRequestHeadParser extends HttpHeadParser<HttpRequestHead> {
  protected override parseFirstLine(
    line: string,
    headers: readonly HeaderField[],
    limits: HttpHeadLimits,
  ): HttpRequestHead {
    const [method = '', target = '', protocol = '', ...extra] = line.split(' ');
    if (!token.test(method) || target === '' || extra.length > 0) {
      throw new HttpHeadError(400, 'the request line is malformed');
    }
    if (!/^[!-~]+$/.test(target)) throw new HttpHeadError(400, 'the target has bytes no target has');
    if (target.length > limits.httpTargetBytes) {
      throw new HttpHeadError(414, `the target is over ${limits.httpTargetBytes} bytes`);
    }
    return { method, target, version: versionOf(protocol), headers };
  }
}

/** Parses response heads; see {@link HttpHeadParser}. */
export class HttpResponseHeadParser extends HttpHeadParser<HttpResponseHead> {
  protected override parseFirstLine(line: string, headers: readonly HeaderField[]): HttpResponseHead {
    const match = /^(HTTP\/\S+) (\d{3})(?: (.*))?$/.exec(line);
    if (match === null) throw new HttpHeadError(400, 'the status line is malformed');
    const [, protocol = '', status, reason = ''] = match;
    return { status: Number(status), reason, version: versionOf(protocol), headers };
  }
}

/** Writes a request head. */
export function encodeRequestHead(
  method: string,
  target: string,
  headers: readonly HeaderField[],
): Uint8Array {
  return encodeHead(`${method} ${target} HTTP/1.1`, headers);
}

/** Writes a response head. */
export function encodeResponseHead(
  status: number,
  reason: string,
  headers: readonly HeaderField[] = [],
): Uint8Array {
  return encodeHead(`HTTP/1.1 ${status} ${reason}`, headers);
}

/** The value of the first field with this name, in any case. */
export function headerValue(headers: readonly HeaderField[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return headers.find(([field]) => field.toLowerCase() === wanted)?.[1];
}

function encodeHead(firstLine: string, headers: readonly HeaderField[]): Uint8Array {
  const lines = headers.map(([name, value]) => {
    if (!token.test(name) || forbiddenInValue.test(value)) {
      throw new HttpHeadError(400, `the header field ${JSON.stringify(name)} cannot be written`);
    }
    return `${name}: ${value}\r\n`;
  });
  return encodeText(`${firstLine}\r\n${lines.join('')}\r\n`);
}

/** The offset after the empty line that ends a head; empty lines before it are skipped, RFC 9112 §2.2. */
function endOfHead(bytes: Uint8Array, from: number): number | undefined {
  let start = 0;
  while (bytes[start] === lineFeed || (bytes[start] === 13 && bytes[start + 1] === lineFeed)) start++;
  for (
    let at = bytes.indexOf(lineFeed, Math.max(start, from));
    at !== -1;
    at = bytes.indexOf(lineFeed, at + 1)
  ) {
    if (bytes[at + 1] === lineFeed) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === lineFeed) return at + 3;
  }
  return undefined;
}

function parseField(line: string): HeaderField {
  const colon = line.indexOf(':');
  const name = line.slice(0, colon);
  if (colon < 1 || !token.test(name)) throw new HttpHeadError(400, 'a header line is malformed');
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
  if (forbiddenInValue.test(value))
    throw new HttpHeadError(400, `the value of ${name} has bytes no value has`);
  return [name, value];
}

function versionOf(protocol: string): '1.0' | '1.1' {
  if (protocol === 'HTTP/1.1') return '1.1';
  if (protocol === 'HTTP/1.0') return '1.0';
  if (/^HTTP\/\d\.\d$/.test(protocol)) throw new HttpHeadError(505, `version ${protocol} is not served here`);
  throw new HttpHeadError(400, 'the protocol is not HTTP');
}
