import { Socket } from 'node:net';
import { type Duplex, Readable } from 'node:stream';
import {
  clientKeepsAlive,
  connectionOptions,
  encodeChunkSize,
  encodeResponseHead,
  encodeTrailers,
  endToEndHeaders,
  type HeaderField,
  type HttpBodyLength,
  HttpBodyReader,
  type HttpRequestHead,
  type HttpResponseHead,
  headerValue,
} from '@manypath/core';
import { resetSocket } from '@manypath/mptcp';
import type { AnswerSink, ExchangeClient } from './exchange.ts';
import type { OriginConnection } from './origin-connection.ts';
import type { PlainRequest } from './plain-request.ts';
import { errorResponse } from './proxy-error.ts';

/** A request, and what it does to its connection. */
export interface Http1RequestOptions {
  readonly socket: Duplex;
  readonly head: HttpRequestHead;
  /** How long its body is. */
  readonly length: number | 'chunked';
  readonly left: AbortSignal;
  /** More of the body is wanted. */
  readonly onWanted: () => void;
  /** The client has its answer. With `keep`, all of the request was read; with `close`, no other one is. */
  readonly onOver: (ending: 'keep' | 'close') => void;
  /** The origin goes on in another protocol, and the client was told so. */
  readonly onSwitched: (upstream: Duplex) => void;
}

/** After these the connection is closed: who knows where the next request begins. */
const notUnderstood = new Set([400, 414, 431, 501]);

/** One plain request on a connection of HTTP/1.1 or 1.0, and what is answered to it. */
export class Http1Request implements ExchangeClient {
  readonly body: Readable;
  readonly left: AbortSignal;
  readonly #options: Http1RequestOptions;
  readonly #reader: HttpBodyReader;
  readonly #upgrade: string | undefined;
  #request: PlainRequest | undefined;
  #keepAlive: boolean;
  #answer: 'none' | 'begun' | 'over' = 'none';
  /** Whether a client that asked before it sends its body has been told to, or did not wait. */
  #mayComeNow = false;

  constructor(options: Http1RequestOptions) {
    const { head, length, left, onWanted } = options;
    this.#options = options;
    this.left = left;
    this.#reader = new HttpBodyReader(length);
    // Upgrading is a favour, which a request with a body does not get.
    this.#upgrade = this.#reader.ended && head.version === '1.1' ? upgradeOf(head) : undefined;
    // What comes behind a request to upgrade may be meant for the new protocol, and is no request.
    this.#keepAlive = clientKeepsAlive(head) && this.#upgrade === undefined;
    this.body = new Readable({ read: () => this.received || onWanted() });
    this.body.on('error', () => {}).once('end', () => this.#settle());
    if (this.#reader.ended) this.body.push(null);
  }

  get request(): PlainRequest {
    if (this.#request === undefined) throw new Error('the request has no route');
    return this.#request;
  }

  get trailers(): readonly HeaderField[] {
    return this.#reader.trailers;
  }

  /** Whether an answer has begun. */
  get answered(): boolean {
    return this.#answer !== 'none';
  }

  /** Says where it goes, before it is forwarded. */
  sendTo(route: Pick<PlainRequest, 'target' | 'path' | 'host'>): void {
    const { head, length } = this.#options;
    this.#request = { ...route, method: head.method, headers: head.headers, length, upgrade: this.#upgrade };
  }

  /** Whether all of the body has come. */
  get received(): boolean {
    return this.#reader.ended;
  }

  /**
   * Takes bytes of the body.
   *
   * @returns What came behind it, and whether more is wanted now.
   * @throws HttpBodyError `MANYPATH_HTTP_BODY_INVALID`
   * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`
   */
  feed(bytes: Uint8Array): { rest: Uint8Array; wanted: boolean } {
    let wanted = true;
    if (bytes.length > 0) this.#mayComeNow = true;
    for (const piece of this.#reader.push(bytes)) wanted = this.body.push(piece);
    if (this.#reader.ended) this.body.push(null);
    return { rest: this.#reader.rest, wanted };
  }

  /** Nothing more is read on this connection: this is the last answer. */
  closeAfterwards(): void {
    this.#keepAlive = false;
  }

  inform({ status, reason, headers }: HttpResponseHead): void {
    const { socket, head } = this.#options;
    // HTTP/1.0 knows no 1xx; and an origin may send any number, which must not pile up for a client that does not read.
    if (this.#answer !== 'none' || head.version === '1.0' || socket.writableNeedDrain || !socket.writable)
      return;
    if (status === 100) this.#mayComeNow = true;
    socket.write(encodeResponseHead(status, reason, endToEndHeaders(headers)));
  }

  respond(
    { status, reason, headers }: HttpResponseHead,
    { length, codings }: { length: HttpBodyLength; codings: readonly string[] },
    onDrain: () => void,
  ): AnswerSink {
    const { socket, head } = this.#options;
    const measured = typeof length === 'number';
    const chunked = !measured && head.version === '1.1';
    if (codings.length > 0 && !chunked)
      throw new Error('the answer has transfer codings that the client does not know');
    if ((!measured && !chunked) || this.#bodyMayNeverCome()) this.#keepAlive = false;
    const framing: HeaderField[] = chunked ? [['Transfer-Encoding', [...codings, 'chunked'].join(', ')]] : [];
    this.#begin(
      encodeResponseHead(status, reason, [...endToEndHeaders(headers), ...framing, ...this.#hopFields()]),
    );
    socket.on('drain', onDrain);
    return {
      write: bytes => (chunked ? this.#writeChunk(bytes) : socket.write(bytes)),
      end: trailers => {
        socket.off('drain', onDrain);
        if (chunked) socket.write(`0\r\n${encodeTrailers(trailers)}\r\n`, 'latin1');
        this.#end();
      },
      breakOff: () => {
        socket.off('drain', onDrain);
        // Without a length only a reset tells the client that the body is not whole; it is not to overtake what there is.
        if (measured || chunked) socket.end(() => socket.destroy());
        else socket.write('', () => reset(socket));
      },
    };
  }

  switchProtocols({ reason, headers }: HttpResponseHead, connection: OriginConnection): void {
    this.#answer = 'over';
    const { socket, onSwitched } = this.#options;
    const upgrade = headerValue(headers, 'upgrade') ?? this.#upgrade ?? '';
    const fields: HeaderField[] = [
      ...endToEndHeaders(headers),
      ['Connection', 'Upgrade'],
      ['Upgrade', upgrade],
    ];
    socket.write(encodeResponseHead(101, reason || 'Switching Protocols', fields));
    onSwitched(connection.release());
  }

  refuse(error: unknown): void {
    const { socket, head } = this.#options;
    if (this.#answer !== 'none' || !socket.writable) {
      socket.destroy();
      return;
    }
    const { status, reason, headers, body } = errorResponse(error, headerValue(head.headers, 'accept'));
    if (notUnderstood.has(status) || this.#bodyMayNeverCome()) this.#keepAlive = false;
    this.#begin(encodeResponseHead(status, reason, [...headers, ...this.#hopFields()]));
    if (head.method !== 'HEAD') socket.write(body);
    this.#end();
  }

  /**
   * The client waits to be told to send its body, and gets an answer instead: what comes next is the body or another request, and
   * nothing tells which (RFC 9110 §10.1.1).
   */
  #bodyMayNeverCome(): boolean {
    const expectation = headerValue(this.#options.head.headers, 'expect')?.toLowerCase();
    return expectation === '100-continue' && !this.#mayComeNow && !this.received;
  }

  #hopFields(): HeaderField[] {
    if (!this.#keepAlive) return [['Connection', 'close']];
    return this.#options.head.version === '1.0' ? [['Connection', 'keep-alive']] : [];
  }

  /** What is written together leaves together. */
  #begin(bytes: Uint8Array): void {
    const { socket } = this.#options;
    this.#answer = 'begun';
    socket.cork();
    process.nextTick(() => socket.uncork());
    socket.write(bytes);
  }

  #writeChunk(bytes: Uint8Array): boolean {
    const { socket } = this.#options;
    if (bytes.length === 0) return true;
    socket.cork();
    socket.write(encodeChunkSize(bytes.length), 'latin1');
    socket.write(bytes);
    const more = socket.write('\r\n', 'latin1');
    socket.uncork();
    return more;
  }

  #end(): void {
    this.#answer = 'over';
    this.#settle();
  }

  #settle(): void {
    if (this.#answer === 'over' && (this.body.readableEnded || !this.#keepAlive))
      this.#options.onOver(this.#keepAlive ? 'keep' : 'close');
  }
}

function upgradeOf({ headers }: HttpRequestHead): string | undefined {
  return connectionOptions(headers).includes('upgrade') ? headerValue(headers, 'upgrade') : undefined;
}

function reset(socket: Duplex): void {
  if (socket instanceof Socket) resetSocket(socket);
  else socket.destroy();
}
