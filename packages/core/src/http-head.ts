import { ByteWriter } from './byte-cursor.ts';
import { decodeLatin1, encodeLatin1 } from './bytes.ts';
import {
  controlCharacters,
  type HeaderField,
  isDecisive,
  isWritable,
  parseField,
  token,
  trimBlanks,
} from './http-fields.ts';
import { HttpHeadError } from './http-head-error.ts';
import { coreLimits } from './limits.ts';

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

export interface HttpHeadLimits {
  httpHeadBytes: number;
  httpHeaderCount: number;
  httpTargetBytes: number;
}

const lineFeed = 10;
const visible = /^[!-~]+$/;
const beyondAscii = /[\x80-\xff]/g;
/** How much of an unfinished first line is looked at: enough to tell noise from HTTP. */
const tellingBytes = 16;

/**
 * Collects an HTTP/1.1 message head and parses it strictly: no blanks before a colon, nothing that is no field, since what two
 * programs read differently can be used to smuggle requests.
 *
 * Bytes in, a head out: feed it pieces of any size until it returns one; {@link rest} then holds what followed. Each
 * line is judged as soon as it is there, whatever the pieces, so that noise is refused before it becomes long.
 */
abstract class HttpHeadParser<First> {
  protected readonly limits: HttpHeadLimits;
  readonly #line = new ByteWriter();
  #headBytes = 0;
  #firstLine: First | undefined;
  readonly #headers: HeaderField[] = [];
  #headerLines = 0;
  #rest: Uint8Array = new Uint8Array();
  #state: 'reading' | 'complete' | 'failed' = 'reading';

  constructor(limits: Partial<HttpHeadLimits> = {}) {
    this.limits = { ...coreLimits, ...limits };
  }

  /** The bytes after the head, once it is complete: a copy. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /**
   * @returns The head once its last byte has arrived, before that `undefined`.
   * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, `MANYPATH_HTTP_HEAD_TOO_LARGE`
   * @throws Error after a head or an error: what follows is no part of the head.
   */
  push(bytes: Uint8Array): (First & { readonly headers: readonly HeaderField[] }) | undefined {
    if (this.#state !== 'reading') throw new Error(`the head is ${this.#state}: it takes no more bytes`);
    try {
      return this.#read(bytes);
    } catch (error) {
      this.#state = 'failed';
      throw error;
    }
  }

  /** Whether a head may begin with these bytes; the line may be cut off anywhere. */
  protected abstract mayBegin(text: string): boolean;

  protected abstract parseFirstLine(line: string): First;

  /**
   * Whether lines may end in LF alone, values be folded and hold control characters: who passes a head on writes it anew, so that
   * the next reader sees none of that.
   */
  protected abstract readonly mends: boolean;

  #read(bytes: Uint8Array): (First & { readonly headers: readonly HeaderField[] }) | undefined {
    let start = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, start)) {
      this.#keep(bytes.subarray(start, end + 1));
      start = end + 1;
      const line = this.#takeLine();
      if (this.#firstLine !== undefined && line === '') {
        this.#state = 'complete';
        this.#rest = bytes.slice(start);
        return { ...this.#firstLine, headers: this.#headers };
      }
      this.#parseLine(line);
    }
    this.#keep(bytes.subarray(start));
    this.#refuseNoise();
    return undefined;
  }

  #keep(piece: Uint8Array): void {
    const room = this.limits.httpHeadBytes - this.#headBytes;
    this.#line.bytes(piece.subarray(0, room));
    this.#headBytes += piece.length;
    if (piece.length <= room) return;
    this.#refuseNoise();
    throw new HttpHeadError(
      this.#firstLine === undefined ? 414 : 431,
      `the head is over ${this.limits.httpHeadBytes} bytes`,
    );
  }

  #takeLine(): string {
    const line = decodeLatin1(this.#line.peek());
    this.#line.clear();
    if (line.endsWith('\r\n')) return line.slice(0, -2);
    if (!this.mends) throw new HttpHeadError(400, 'a line does not end in CR LF');
    return line.slice(0, -1);
  }

  #parseLine(line: string): void {
    if (this.#firstLine === undefined) {
      // Empty lines before a message are skipped; RFC 9112 §2.2.
      if (line !== '') this.#firstLine = this.parseFirstLine(line);
      return;
    }
    if (this.#headerLines === this.limits.httpHeaderCount) {
      throw new HttpHeadError(431, `it has more than ${this.limits.httpHeaderCount} header fields`);
    }
    this.#headerLines += 1;
    if (this.mends && /^[ \t]/.test(line)) {
      this.#unfold(line);
      return;
    }
    this.#headers.push(parseField(line, { controls: this.mends }));
  }

  /** A folded value goes on behind one blank; RFC 9112 §5.2. */
  #unfold(line: string): void {
    const [name, value] = this.#headers.pop() ?? [];
    if (name === undefined || value === undefined || isDecisive(name))
      throw new HttpHeadError(400, 'a line is folded that must not be');
    this.#headers.push(parseField(`${name}: ${value} ${trimBlanks(line)}`, { controls: true }));
  }

  /** Noise may never hold a line feed: it is refused as soon as it cannot become a first line any more. */
  #refuseNoise(): void {
    if (this.#firstLine !== undefined || this.#line.length === 0) return;
    const text = decodeLatin1(this.#line.peek().subarray(0, tellingBytes));
    if (!/^\r\n?$/.test(text) && !this.mayBegin(text)) throw new HttpHeadError(400, 'it is not HTTP');
  }
}

type RequestLine = Omit<HttpRequestHead, 'headers'>;

/** Parses request heads: {@link HttpRequestHead}, limits `httpHeadBytes`, `httpHeaderCount`, `httpTargetBytes`. */
export class HttpRequestHeadParser extends HttpHeadParser<RequestLine> {
  protected override readonly mends = true;

  protected override mayBegin(text: string): boolean {
    return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+[\t -~\x80-\xff]*\r?)?$/.test(text);
  }

  protected override parseFirstLine(line: string): RequestLine {
    // Blanks between the three words may be more than one; RFC 9112 §3.
    const [method = '', written = '', protocol = '', ...extra] = trimEnd(line).split(/[ \t]+/);
    if (!token.test(method) || written === '' || protocol === '' || extra.length > 0) {
      throw new HttpHeadError(400, 'the request line is malformed');
    }
    // As browsers send them; RFC 3986 §2.1.
    const target = written.replace(beyondAscii, byte => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
    if (target.length > this.limits.httpTargetBytes) {
      throw new HttpHeadError(414, `the target is over ${this.limits.httpTargetBytes} bytes`);
    }
    if (!visible.test(target)) throw new HttpHeadError(400, 'the target has bytes no target has');
    return { method, target, version: versionOf(protocol) };
  }
}

type StatusLine = Omit<HttpResponseHead, 'headers'>;

/** Parses response heads: {@link HttpResponseHead}, limits `httpHeadBytes`, `httpHeaderCount`. */
export class HttpResponseHeadParser extends HttpHeadParser<StatusLine> {
  protected override readonly mends = false;

  protected override mayBegin(text: string): boolean {
    return 'HTTP/'.startsWith(text.slice(0, 5));
  }

  protected override parseFirstLine(line: string): StatusLine {
    const match = /^(HTTP\/\S+) ([1-9]\d{2})(?: (.*))?$/.exec(line);
    if (match === null) throw new HttpHeadError(400, 'the status line is malformed');
    const [, protocol = '', status, reason = ''] = match;
    if (controlCharacters.test(reason)) throw new HttpHeadError(400, 'the status line is malformed');
    return { status: Number(status), reason, version: versionOf(protocol) };
  }
}

/**
 * Writes a request head.
 *
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID` when a part would not be read back as it is.
 */
export function encodeRequestHead(
  method: string,
  target: string,
  headers: readonly HeaderField[],
  version: HttpRequestHead['version'] = '1.1',
): Uint8Array {
  if (!token.test(method) || !visible.test(target)) {
    throw new HttpHeadError(400, 'the request line cannot be written');
  }
  return encodeHead(`${method} ${target} HTTP/${version}`, headers);
}

/**
 * Writes a response head.
 *
 * @param reason For people only (RFC 9112 §4): one that cannot be written as it is, such as another server's with control
 *   characters, is left out.
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID` when another part would not be read back as it is.
 */
export function encodeResponseHead(
  status: number,
  reason: string,
  headers: readonly HeaderField[] = [],
): Uint8Array {
  if (!Number.isInteger(status) || status < 100 || status > 999) {
    throw new HttpHeadError(400, `there is no status ${status}`);
  }
  const fits = !controlCharacters.test(reason) && encodeLatin1(reason) !== undefined;
  return encodeHead(`HTTP/1.1 ${status} ${fits ? reason : ''}`, headers);
}

function encodeHead(firstLine: string, headers: readonly HeaderField[]): Uint8Array {
  const lines = headers.map(([name, value]) => {
    if (!isWritable([name, value])) {
      throw new HttpHeadError(400, `the header field ${JSON.stringify(name)} cannot be written`);
    }
    return `${name}: ${value}\r\n`;
  });
  // A head is bytes: what was read with one character a byte is written so, or it would come out as other bytes.
  const bytes = encodeLatin1(`${firstLine}\r\n${lines.join('')}\r\n`);
  if (bytes === undefined) throw new HttpHeadError(400, 'it has characters that no head can hold');
  return bytes;
}

/** Without blanks at the end, but with those at the start: no word begins with one. */
function trimEnd(line: string): string {
  return trimBlanks(`.${line}`).slice(1);
}

function versionOf(protocol: string): '1.0' | '1.1' {
  if (protocol === 'HTTP/1.1') return '1.1';
  if (protocol === 'HTTP/1.0') return '1.0';
  if (/^HTTP\/\d\.\d$/.test(protocol)) throw new HttpHeadError(505, `version ${protocol} is not served here`);
  throw new HttpHeadError(400, 'the protocol is not HTTP');
}
