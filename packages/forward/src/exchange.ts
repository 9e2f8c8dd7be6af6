import type { Readable } from 'node:stream';
import {
  type Clock,
  encodeChunkSize,
  encodeTrailers,
  type HeaderField,
  type HttpBodyLength,
  type HttpResponseHead,
  systemClock,
} from '@manypath/core';
import { Inactivity } from './inactivity.ts';
import type { ForwardLimits } from './limits.ts';
import type { OriginConnection, OriginListener } from './origin-connection.ts';
import type { OriginPool } from './origin-pool.ts';
import { headForOrigin, isIdempotent, type PlainRequest, provesConnection } from './plain-request.ts';
import { ProxyRefusal } from './proxy-error.ts';

/** The origin broke off or answered what cannot be passed on (502 `MANYPATH_FORWARD_ORIGIN_FAILED`). */
export class OriginFailedError extends ProxyRefusal {
  constructor(cause: unknown) {
    super(502, 'MANYPATH_FORWARD_ORIGIN_FAILED', 'the origin gave no answer that can be passed on', {
      cause,
    });
  }
}

/** The origin did not begin its answer in time (504 `MANYPATH_FORWARD_RESPONSE_TIMEOUT`). */
export class ResponseTimeoutError extends ProxyRefusal {
  constructor(milliseconds: number) {
    const message = `the origin did not answer within ${milliseconds / 1000} s`;
    super(504, 'MANYPATH_FORWARD_RESPONSE_TIMEOUT', message);
  }
}

/** Where the content of an answer goes. */
export interface AnswerSink {
  /** @returns Whether more may follow at once; after `false` nothing does until `onDrain` is called. */
  write(bytes: Uint8Array): boolean;
  /** The answer is whole. */
  end(trailers: readonly HeaderField[]): void;
  /** The answer will not be whole, and the client is to see that. */
  breakOff(): void;
}

/** The client of one exchange, whatever it speaks. */
export interface ExchangeClient {
  readonly request: PlainRequest;
  /** The content of the request. */
  readonly body: Readable;
  /** The fields behind the body, once it has ended. */
  readonly trailers: readonly HeaderField[];
  /** Aborted when the client has gone, or has broken its request off. */
  readonly left: AbortSignal;
  /** Passes an answer ahead of the answer on, where the client can take it. */
  inform(head: HttpResponseHead): void;
  /**
   * Begins the answer.
   *
   * @throws Error when it has what this client's protocol cannot carry
   */
  respond(
    head: HttpResponseHead,
    body: { length: HttpBodyLength; codings: readonly string[] },
    onDrain: () => void,
  ): AnswerSink;
  /** Tells the client that the origin has switched protocols, and joins both. */
  switchProtocols(head: HttpResponseHead, connection: OriginConnection): void;
  /** Answers with an error. */
  refuse(error: unknown): void;
}

export interface ExchangeOptions {
  readonly pool: OriginPool;
  readonly limits: ForwardLimits;
  readonly clock?: Clock;
}

/**
 * Sends a request to its origin and the answer back: both on their way at the same time, in any order, each with back-pressure.
 */
export function exchange(client: ExchangeClient, options: ExchangeOptions): void {
  new Exchange(client, options).start();
}

class Exchange implements OriginListener {
  readonly #client: ExchangeClient;
  readonly #pool: OriginPool;
  readonly #limits: ForwardLimits;
  readonly #clock: Clock;
  #connection: OriginConnection | undefined;
  #inactivity: Inactivity | undefined;
  #answer: AnswerSink | undefined;
  #answered = false;
  /** The whole request is on its way, or nobody wants the rest. */
  #sent = false;
  /** The origin has not taken what was sent last. */
  #untaken = false;
  /** What was sent of the body, as long as it can be sent again. */
  #repeatable: Uint8Array[] | undefined;
  #repeatableBytes = 0;
  #bodyBytes = 0;
  #bodyEnded = false;
  #over = false;

  constructor(client: ExchangeClient, { pool, limits, clock = systemClock }: ExchangeOptions) {
    this.#client = client;
    this.#pool = pool;
    this.#limits = limits;
    this.#clock = clock;
    if (isIdempotent(client.request)) this.#repeatable = [];
  }

  start(): void {
    const { body, left } = this.#client;
    left.addEventListener('abort', () => this.#leave(), { once: true });
    if (left.aborted) {
      this.#leave();
      return;
    }
    body.pause();
    body.on('data', (bytes: Buffer) => this.#takeBody(bytes));
    body.once('end', () => this.#takeEnd());
    void this.#ask(false);
  }

  onInformation(head: HttpResponseHead): void {
    this.#inactivity?.touch();
    this.#client.inform(head);
  }

  onHead(head: HttpResponseHead, length: HttpBodyLength, codings: readonly string[]): void {
    if (head.status === 408 && this.#mayRepeat()) {
      this.#repeat();
      return;
    }
    this.#inactivity?.restart(this.#limits.idleMs);
    try {
      this.#answer = this.#client.respond(head, { length, codings }, () => {
        this.#inactivity?.touch();
        this.#connection?.resume();
      });
    } catch (error) {
      this.#fail(error);
    }
  }

  onData(bytes: Uint8Array): boolean {
    this.#inactivity?.touch();
    return this.#answer?.write(bytes) ?? true;
  }

  onEnd(trailers: readonly HeaderField[]): void {
    if (this.#answer === undefined) return;
    this.#answered = true;
    this.#answer.end(trailers);
    if (this.#sent) this.#finish();
    else this.#waitForOrigin();
  }

  onSwitched(head: HttpResponseHead): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#client.request.upgrade === undefined) {
      this.#fail(new Error('the origin switched protocols unasked'));
      return;
    }
    this.#end();
    this.#client.switchProtocols(head, connection);
  }

  onClosed(error: unknown): void {
    const repeat = this.#answer === undefined && this.#mayRepeat();
    this.#connection = undefined;
    if (this.#answered) this.#dropRest();
    else if (repeat) this.#repeat();
    else this.#fail(error);
  }

  async #ask(fresh: boolean): Promise<void> {
    const { request, left } = this.#client;
    try {
      const head = headForOrigin(request);
      if (provesConnection(request)) this.#pool.isPersonal = true;
      // A kept connection may be closed just now, and what must not be sent twice would be lost.
      const isRisky = this.#repeatable === undefined && !this.#pool.isPersonal;
      const connection = await this.#pool.take(request.target, left, { fresh: fresh || isRisky });
      if (left.aborted) return connection.destroy();
      this.#connection = connection;
      this.#inactivity = new Inactivity(this.#clock, this.#limits.responseHeadMs, () => this.#idle());
      const { answerHeadBytes: httpHeadBytes, answerHeaderCount: httpHeaderCount } = this.#limits;
      // A connection that has carried answers before does not suddenly speak another protocol.
      const headless = connection.used ? 'nothing' : request.target.port === 80 ? 'any' : 'text';
      connection.ask({ method: request.method, headless, limits: { httpHeadBytes, httpHeaderCount } }, this);
      this.#send([head, ...(this.#repeatable ?? []).flatMap(bytes => this.#framed(bytes))]);
      if (this.#bodyEnded) this.#sendEnd();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #takeBody(bytes: Buffer): void {
    if (this.#over || this.#connection === undefined) return;
    const { length } = this.#client.request;
    this.#bodyBytes += bytes.length;
    if (length !== 'chunked' && this.#bodyBytes > length) {
      this.#fail(new Error('the body of the request is longer than it says'));
      return;
    }
    this.#keep(bytes);
    this.#client.body.pause();
    this.#send(this.#framed(bytes));
  }

  #takeEnd(): void {
    this.#bodyEnded = true;
    const { length } = this.#client.request;
    if (length !== 'chunked' && this.#bodyBytes < length)
      this.#fail(new Error('the body of the request is shorter than it says'));
    else if (this.#connection !== undefined) this.#sendEnd();
  }

  #sendEnd(): void {
    if (this.#client.request.length === 'chunked') {
      this.#connection?.send([`0\r\n${encodeTrailers(this.#client.trailers)}\r\n`], () => {});
    }
    this.#sent = true;
    if (this.#answered) this.#finish();
  }

  #framed(bytes: Uint8Array): (string | Uint8Array)[] {
    return this.#client.request.length === 'chunked'
      ? [encodeChunkSize(bytes.length), bytes, '\r\n']
      : [bytes];
  }

  #send(parts: readonly (string | Uint8Array)[]): void {
    const connection = this.#connection;
    this.#untaken = true;
    if (this.#answered) this.#waitForOrigin();
    connection?.send(parts, () => {
      this.#untaken = false;
      if (this.#answered) this.#waitForOrigin();
      else this.#inactivity?.touch();
      if (this.#connection === connection && !this.#bodyEnded) this.#client.body.resume();
    });
  }

  /** Whoever has answered may not read on. The client may first want to say all it has to say, and wait for that. */
  #waitForOrigin(): void {
    this.#inactivity?.restart(this.#untaken ? this.#limits.untakenMs : this.#limits.idleMs);
  }

  #keep(bytes: Buffer): void {
    if (this.#repeatable === undefined) return;
    this.#repeatableBytes += bytes.length;
    if (this.#repeatableBytes > this.#limits.repeatBytes) this.#repeatable = undefined;
    else this.#repeatable.push(bytes);
  }

  /** Origins close idle connections just when the next request comes in; RFC 9112 §9.3.1. */
  #mayRepeat(): boolean {
    const connection = this.#connection;
    return connection?.used === true && this.#repeatable !== undefined && !this.#client.left.aborted;
  }

  #repeat(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#inactivity?.stop();
    this.#client.body.pause();
    void this.#ask(true);
  }

  #idle(): void {
    const { responseHeadMs } = this.#limits;
    if (this.#answered) this.#dropRest();
    else if (this.#answer === undefined) this.#refuse(new ResponseTimeoutError(responseHeadMs));
    else this.#fail(new Error('no byte came for too long'));
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    if (this.#answer === undefined) {
      this.#refuse(new OriginFailedError(error));
      return;
    }
    const answer = this.#answer;
    this.#end();
    this.#connection?.destroy();
    if (!this.#answered) answer.breakOff();
  }

  /** There will be no answer of the origin's. */
  #refuse(error: unknown): void {
    if (this.#over) return;
    this.#end();
    this.#connection?.destroy();
    this.#client.refuse(error);
    this.#client.body.resume();
  }

  /** The client has its answer, and the origin takes no more: what the client still sends is read and dropped. */
  #dropRest(): void {
    this.#end();
    this.#connection?.destroy();
    this.#client.body.resume();
  }

  #finish(): void {
    if (this.#over) return;
    this.#end();
    const connection = this.#connection;
    if (connection !== undefined) this.#pool.give(this.#client.request.target, connection);
  }

  #leave(): void {
    if (this.#over) return;
    this.#end();
    this.#connection?.destroy();
  }

  #end(): void {
    this.#over = true;
    this.#inactivity?.stop();
  }
}
