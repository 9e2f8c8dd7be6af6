import { ByteWriter } from './byte-cursor.ts';
import { concatBytes, decodeLatin1 } from './bytes.ts';
import { HttpBodyError, type HttpBodyLength, HttpBodyReader } from './http-body.ts';
import { type HeaderField, readFieldTolerantly, trimBlanks, withoutControls } from './http-fields.ts';
import { keepsAlive, type ResponseFraming, responseFraming } from './http-framing.ts';
import type { HttpResponseHead } from './http-head.ts';
import { HttpHeadError } from './http-head-error.ts';
import { coreLimits } from './limits.ts';

/** What an {@link HttpResponseReader} finds. */
export type HttpResponseEvent =
  /** An answer ahead of the answer: 1xx except 101; RFC 9110 §15.2. */
  | { readonly type: 'information'; readonly head: HttpResponseHead }
  /** The origin goes on in another protocol: {@link HttpResponseReader.rest} are its first bytes; RFC 9110 §15.2.2. */
  | { readonly type: 'switched'; readonly head: HttpResponseHead }
  | {
      readonly type: 'head';
      /** Its fields as every reader is to see them: see {@link ResponseFraming}. */
      readonly head: HttpResponseHead;
      readonly length: HttpBodyLength;
      readonly codings: readonly string[];
    }
  | { readonly type: 'data'; readonly bytes: Uint8Array }
  | {
      readonly type: 'end';
      readonly trailers: readonly HeaderField[];
      /** Whether the connection may carry another request. */
      readonly reusable: boolean;
    }
  /** What came is no answer, or not all of one: nothing else follows. */
  | { readonly type: 'failure'; readonly error: HttpHeadError | HttpBodyError };

/** An answer that is not whole, or none at all. */
export class HttpTruncatedError extends HttpHeadError {
  constructor(reason: string) {
    super(400, reason);
  }
}

export interface HttpResponseOptions {
  /** The method of the request. */
  method: string;
  /**
   * What may be taken for an answer of HTTP/0.9, which has no head: `any` bytes, `text` that is no greeting of another protocol,
   * or `nothing`. Default `nothing`.
   */
  headless?: 'any' | 'text' | 'nothing';
  limits?: Partial<HttpResponseLimits>;
}

export interface HttpResponseLimits {
  httpHeadBytes: number;
  httpHeaderCount: number;
  httpChunkLineBytes: number;
  httpLeadingBytes: number;
}

const lineFeed = 10;
/** As many bytes of something else may stand before the status line. Browsers have it so for servers that send too long a body. */
const strayBytes = 4;
const statusLine = /^HTTP\/1\.[01] [1-9]\d\d(?: |$)/;

/**
 * Reads what an origin answers to one request, the way browsers do: what the RFCs forbid and servers do all the same is mended, so
 * that the next reader sees one meaning only; and such a connection is not used again. RFC 9112 §2–§7.
 *
 * Bytes in, events out, whatever the pieces.
 */
export class HttpResponseReader {
  readonly #method: string;
  readonly #headless: 'any' | 'text' | 'nothing';
  readonly #limits: HttpResponseLimits;
  readonly #start = new ByteWriter();
  readonly #line = new ByteWriter();
  #headBytes = 0;
  #lines: string[] = [];
  #body: HttpBodyReader | undefined;
  #keepAlive = false;
  #tidy = true;
  #state: 'start' | 'head' | 'body' | 'ended' = 'start';
  #rest: Uint8Array = new Uint8Array();

  constructor({ method, headless = 'nothing', limits = {} }: HttpResponseOptions) {
    this.#method = method;
    this.#headless = headless;
    this.#limits = { ...coreLimits, ...limits };
  }

  /** The bytes behind the answer, once that is over. */
  get rest(): Uint8Array {
    return this.#rest;
  }

  /** Takes bytes of the connection. */
  push(bytes: Uint8Array): HttpResponseEvent[] {
    return this.#collect(events => {
      this.#rest = bytes;
      while (this.#rest.length > 0 && this.#state !== 'ended') this.#step(events);
    });
  }

  /** The connection has ended in order. */
  finish(): HttpResponseEvent[] {
    return this.#collect(events => this.#finish(events));
  }

  #collect(read: (events: HttpResponseEvent[]) => void): HttpResponseEvent[] {
    const events: HttpResponseEvent[] = [];
    try {
      read(events);
    } catch (error) {
      if (!(error instanceof HttpHeadError || error instanceof HttpBodyError)) throw error;
      this.#state = 'ended';
      events.push({ type: 'failure', error });
    }
    return events;
  }

  #finish(events: HttpResponseEvent[]): void {
    if (this.#state === 'start' && !this.#isEmpty) {
      this.#begin(this.#start.finish(), true, events);
      if (this.#body !== undefined) this.#readBody(events);
    }
    if (this.#state === 'head' && this.#lines.length > 0 && this.#line.length === 0) {
      // The empty line behind the head is all that is missing.
      this.#tidy = false;
      this.#takeHead(events);
    }
    if (this.#state === 'ended') return;
    if (this.#body === undefined || !this.#body.finish())
      throw new HttpTruncatedError(this.#isEmpty ? 'there is no answer' : 'the answer is cut off');
    this.#tidy = false;
    this.#end(events);
  }

  get #isEmpty(): boolean {
    return this.#state === 'start' && this.#start.length === 0;
  }

  #step(events: HttpResponseEvent[]): void {
    if (this.#state === 'start') {
      const waiting = this.#start.finish();
      this.#start.clear();
      this.#begin(waiting.length === 0 ? this.#rest : concatBytes([waiting, this.#rest]), false, events);
    } else if (this.#state === 'head') {
      this.#readLine(events);
    } else {
      this.#readBody(events);
    }
  }

  /** Finds where the status line begins. */
  #begin(bytes: Uint8Array, atEnd: boolean, events: HttpResponseEvent[]): void {
    const text = decodeLatin1(bytes.subarray(0, this.#limits.httpLeadingBytes + strayBytes + 8));
    const blank = /^[\r\n]*/.exec(text)?.[0].length ?? 0;
    if (blank > this.#limits.httpLeadingBytes)
      throw new HttpHeadError(400, 'there are too many empty lines before it');
    const found = /^.{0,4}?http|^icy /is.exec(text.slice(blank));
    if (found !== null) {
      const stray = found[0].toLowerCase() === 'icy ' ? 0 : found[0].length - 4;
      if (blank + stray > 0) this.#tidy = false;
      this.#state = 'head';
      this.#rest = bytes.subarray(blank + stray);
    } else if (atEnd || text.length - blank >= strayBytes + 4) {
      this.#takeHeadless(bytes, text.slice(blank, blank + strayBytes + 4), events);
    } else {
      this.#start.bytes(bytes);
      this.#rest = new Uint8Array();
    }
  }

  /** An answer of HTTP/0.9 is its body and nothing else. @param beginning As much of it as is looked at. */
  #takeHeadless(bytes: Uint8Array, beginning: string, events: HttpResponseEvent[]): void {
    const allowed = this.#headless === 'any' || (this.#headless === 'text' && isPlainText(beginning));
    if (!allowed) throw new HttpHeadError(400, 'it is not HTTP');
    // A page that was never meant to be one is to run nothing; browsers are as careful, and take none from such ports.
    const headers: HeaderField[] =
      this.#headless === 'text'
        ? [
            ['Content-Type', 'text/plain'],
            ['X-Content-Type-Options', 'nosniff'],
          ]
        : [];
    this.#announce({ status: 200, reason: 'OK', version: '1.0', headers }, events);
    this.#rest = bytes;
  }

  #readLine(events: HttpResponseEvent[]): void {
    const end = this.#rest.indexOf(lineFeed);
    const piece = end === -1 ? this.#rest : this.#rest.subarray(0, end + 1);
    this.#rest = this.#rest.subarray(piece.length);
    this.#headBytes += piece.length;
    if (this.#headBytes > this.#limits.httpHeadBytes)
      throw new HttpHeadError(431, `the head is over ${this.#limits.httpHeadBytes} bytes`);
    this.#line.bytes(piece);
    if (end === -1) return;
    const line = this.#takeLine();
    if (line === '') this.#takeHead(events);
    else this.#lines.push(line);
    if (this.#lines.length > this.#limits.httpHeaderCount + 1)
      throw new HttpHeadError(431, `it has more than ${this.#limits.httpHeaderCount} header fields`);
  }

  #takeLine(): string {
    const text = decodeLatin1(this.#line.peek());
    this.#line.clear();
    const line = text.replace(/\r*\n$/, '');
    if (line.length !== text.length - 2) this.#tidy = false;
    return line;
  }

  #takeHead(events: HttpResponseEvent[]): void {
    const [first = '', ...lines] = this.#lines;
    this.#lines = [];
    this.#headBytes = 0;
    if (!statusLine.test(first)) this.#tidy = false;
    const head = { ...parseStatusLine(first), headers: this.#parseFields(lines) };
    if (head.status === 101) {
      this.#state = 'ended';
      events.push({ type: 'switched', head });
    } else if (head.status < 200) {
      this.#state = 'start';
      events.push({ type: 'information', head });
    } else {
      this.#announce(head, events);
    }
  }

  #parseFields(lines: readonly string[]): HeaderField[] {
    const fields: HeaderField[] = [];
    for (const line of unfold(lines)) {
      const { field, tidy } = readFieldTolerantly(line);
      if (field !== undefined) fields.push(field);
      if (!tidy) this.#tidy = false;
    }
    if (lines.some(line => /^[ \t]/.test(line))) this.#tidy = false;
    return fields;
  }

  #announce(head: HttpResponseHead, events: HttpResponseEvent[]): void {
    const framing = responseFraming(this.#method, head);
    const { length, codings, headers } = framing;
    if (!framing.tidy) this.#tidy = false;
    this.#keepAlive = keepsAlive(head);
    this.#body = new HttpBodyReader(length, { tolerant: true, limits: this.#limits });
    this.#state = 'body';
    events.push({ type: 'head', head: { ...head, headers }, length, codings });
    if (this.#body.ended) this.#end(events);
  }

  #readBody(events: HttpResponseEvent[]): void {
    const body = this.#body;
    if (body === undefined) return;
    for (const bytes of body.push(this.#rest)) events.push({ type: 'data', bytes });
    this.#rest = body.rest;
    if (body.ended) this.#end(events);
  }

  #end(events: HttpResponseEvent[]): void {
    this.#state = 'ended';
    const tidy = this.#tidy && this.#body?.tidy === true;
    const reusable = tidy && this.#keepAlive && this.#rest.length === 0;
    events.push({ type: 'end', trailers: this.#body?.trailers ?? [], reusable });
  }
}

/** Lines that begin with a blank go on with the line before; RFC 9112 §5.2. One without a line before is left out. */
function unfold(lines: readonly string[]): string[] {
  const whole: string[][] = [];
  for (const line of lines) {
    if (!/^[ \t]/.test(line)) whole.push([line]);
    else whole.at(-1)?.push(trimBlanks(line));
  }
  return whole.map(parts => parts.join(' '));
}

/**
 * As browsers read it: any case, any blanks, a version that may be missing or new, a missing status that is 200, a missing reason.
 * A number that is no status is taken for a failure of the server; RFC 9110 §15.
 *
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, it is no status line
 */
function parseStatusLine(line: string): Omit<HttpResponseHead, 'headers'> {
  const match = /^(?:HTTP[ \t]*(?:\/[ \t]*(\d+)(?:\.(\d+))?)?|ICY)[ \t]*(\d*)(.*)$/is.exec(line);
  if (match === null) throw new HttpHeadError(400, 'the status line is malformed');
  const [, major = '1', minor = '0', digits = '', reason = ''] = match;
  const version = Number(major) > 1 || (major === '1' && Number(minor) >= 1) ? '1.1' : '1.0';
  if (digits === '') return { status: 200, reason: 'OK', version };
  const isStatus = digits.length === 3 && digits >= '100';
  const status = isStatus ? Number(digits) : 500;
  return { status, reason: trimBlanks(withoutControls(reason)), version };
}

/** What servers of other protocols say first: nobody asked them for a page. */
const greeting = /^(?:SSH-|RFB |220[ -]|\+OK|\* OK|-ERR)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: texts have none of them
const binary = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f]/;

function isPlainText(text: string): boolean {
  return !greeting.test(text) && !binary.test(text);
}
