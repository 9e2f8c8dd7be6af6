import type { Duplex } from 'node:stream';
import {
  type Authority,
  type Clock,
  classifyProxyRequest,
  concatBytes,
  type HttpRequestHead,
  HttpRequestHeadParser,
  headerValue,
  parseAuthority,
  requestBodyLength,
  systemClock,
  type Timer,
} from '@manypath/core';
import { endGently, refuseTunnel } from './answers.ts';
import { hasLeft } from './client-presence.ts';
import { exchange } from './exchange.ts';
import { Http1Request } from './http1-request.ts';
import type { ForwardLimits } from './limits.ts';
import { type Dial, OriginPool } from './origin-pool.ts';
import { ProxyRefusal } from './proxy-error.ts';

/** A client asked for a tunnel: answer with {@link acceptTunnel} or {@link refuseTunnel}. */
export interface TunnelRequest {
  readonly socket: Duplex;
  readonly target: Authority;
  readonly head: HttpRequestHead;
}

/** What the connections of a front share. */
export interface Http1ConnectionOptions {
  readonly dial: Dial;
  /** Checks each request's header fields; what it throws is the answer. */
  readonly authorize?: (headers: HttpRequestHead['headers'], client: Duplex) => void | Promise<void>;
  /** A request for this proxy itself. @returns Whether it was taken, and the socket with it. */
  readonly onOwn?: (socket: Duplex, head: HttpRequestHead) => boolean;
  /** CONNECT. Bytes that came behind it are first to be read from the socket, which belongs to the tunnel. */
  readonly onTunnel: (request: TunnelRequest) => void;
  /** An origin has switched protocols, and the client was told so: what is to be joined. */
  readonly onSwitched: (client: Duplex, upstream: Duplex) => void;
  readonly limits: ForwardLimits;
  readonly clock?: Clock;
}

/** When it is asked first whether a client that has ended its direction has left, in milliseconds. */
const firstPresenceMs = 50;

/**
 * A connection of a client that speaks HTTP/1.1 or 1.0 to a proxy: one request after the other, until it becomes a tunnel or
 * ends. What comes ahead of an answer waits, within bounds.
 */
export class Http1Connection {
  readonly #socket: Duplex;
  readonly #options: Http1ConnectionOptions;
  readonly #clock: Clock;
  readonly #onGone: (connection: Http1Connection) => void;
  #parser: HttpRequestHeadParser;
  #pool: OriginPool | undefined;
  #request: Http1Request | undefined;
  /** Aborted when the client leaves the request that is served. */
  #left: AbortController | undefined;
  #state: 'idle' | 'head' | 'serving' | 'closing' = 'head';
  /** What has come and is nobody's yet. */
  #ahead: Uint8Array = new Uint8Array();
  /** The client has ended its direction. */
  #ended = false;
  #timer: Timer | undefined;

  /** @param onGone Called when this connection is no more, or is no HTTP any more. */
  constructor(
    socket: Duplex,
    options: Http1ConnectionOptions,
    onGone: (connection: Http1Connection) => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#onGone = onGone;
    this.#parser = this.#newParser();
    this.#attach();
    this.#limitHead();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Takes bytes that came. */
  receive(bytes: Buffer): void {
    this.#ahead = this.#ahead.length === 0 ? bytes : concatBytes([this.#ahead, bytes]);
    this.#advance();
  }

  readonly #onData = (bytes: Buffer): void => this.receive(bytes);

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (this.#state === 'closing') return;
    const isServed = this.#state === 'serving' && this.#request?.received !== false;
    // Whoever ends within a request has broken it off.
    if (this.#state === 'idle') endGently(this.#socket, this.#options.limits);
    else if (isServed) this.#serveHalfClosed();
    else this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#timer?.cancel();
    this.#left?.abort();
    this.#pool?.close();
    this.#onGone(this);
  };

  readonly #onError = (): void => void this.#socket.destroy();

  #attach(): void {
    this.#socket.on('data', this.#onData).on('end', this.#onEnd);
    this.#socket.on('error', this.#onError).on('close', this.#onClose);
  }

  #detach(): void {
    this.#socket.off('data', this.#onData).off('end', this.#onEnd);
    this.#socket.off('error', this.#onError).off('close', this.#onClose);
    this.#socket.pause();
  }

  /** Gives the socket away, with what came behind the last request. */
  #release(): Duplex {
    this.#detach();
    this.#timer?.cancel();
    this.#pool?.close();
    if (this.#ahead.length > 0) this.#socket.unshift(Buffer.from(this.#ahead));
    this.#onGone(this);
    return this.#socket;
  }

  #newParser(): HttpRequestHeadParser {
    const { forwardHeadBytes } = this.#options.limits;
    return new HttpRequestHeadParser({ httpHeadBytes: forwardHeadBytes, httpTargetBytes: forwardHeadBytes });
  }

  #limitHead(): void {
    const { requestHeadMs } = this.#options.limits;
    this.#wait(requestHeadMs, () => this.#refuse(headTimeout(requestHeadMs)));
  }

  #wait(milliseconds: number, then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(milliseconds, then);
  }

  /** Reads on, as far as what has come allows. */
  #advance(): void {
    if (this.#ahead.length === 0) return;
    if (this.#state === 'idle') {
      this.#state = 'head';
      this.#limitHead();
    }
    if (this.#request?.received === false) this.#readBody(this.#request);
    else if (this.#state === 'head') this.#readHead();
    else if (this.#state === 'closing') this.#ahead = new Uint8Array();
    else this.#putBack();
  }

  /** What comes ahead of the answer waits in the socket, which then does not tell its end before all of it was read. */
  #putBack(): void {
    this.#socket.pause();
    this.#socket.unshift(Buffer.from(this.#ahead));
    this.#ahead = new Uint8Array();
  }

  #readHead(): void {
    const bytes = this.#ahead;
    this.#ahead = new Uint8Array();
    try {
      const head = this.#parser.push(bytes);
      if (head === undefined) return;
      this.#timer?.cancel();
      this.#ahead = this.#parser.rest;
      this.#parser = this.#newParser();
      this.#serve(head);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #readBody(request: Http1Request): void {
    try {
      const { rest, wanted } = request.feed(this.#ahead);
      this.#ahead = rest;
      if (!wanted) this.#socket.pause();
      if (request.received) this.#advance();
    } catch (error) {
      // What is no body cannot be passed on as one; and an answer that has begun must not get another one into its body.
      this.#left?.abort();
      if (request.answered) this.#socket.destroy();
      else this.#refuse(error);
    }
  }

  #serve(head: HttpRequestHead): void {
    if (head.method === 'CONNECT') this.#tunnel(this.#release(), head);
    else if (!(head.target.startsWith('/') && this.#giveAway(head)))
      void this.#forward(head, requestBodyLength(head));
  }

  /** Offers a request for this proxy itself to who may know an answer. */
  #giveAway(head: HttpRequestHead): boolean {
    this.#detach();
    if (this.#options.onOwn?.(this.#socket, head) === true) {
      this.#release().resume();
      return true;
    }
    this.#attach();
    this.#socket.resume();
    return false;
  }

  #tunnel(socket: Duplex, head: HttpRequestHead): void {
    const { authorize } = this.#options;
    if (authorize === undefined) this.#giveTunnel(socket, head);
    else void this.#authorizeTunnel(socket, head, authorize);
  }

  async #authorizeTunnel(
    socket: Duplex,
    head: HttpRequestHead,
    authorize: NonNullable<Http1ConnectionOptions['authorize']>,
  ): Promise<void> {
    const swallow = () => {};
    socket.on('error', swallow);
    try {
      await authorize(head.headers, socket);
      if (!socket.destroyed) this.#giveTunnel(socket, head);
    } catch (error) {
      refuseTunnel(socket, error, headerValue(head.headers, 'accept'));
    } finally {
      socket.off('error', swallow);
    }
  }

  #giveTunnel(socket: Duplex, head: HttpRequestHead): void {
    let target: Authority;
    try {
      target = parseAuthority(head.target);
    } catch (error) {
      refuseTunnel(socket, error, headerValue(head.headers, 'accept'));
      return;
    }
    this.#options.onTunnel({ socket, head, target });
  }

  async #forward(head: HttpRequestHead, length: number | 'chunked'): Promise<void> {
    const { authorize, dial, limits } = this.#options;
    const request = this.#newRequest(head, length);
    try {
      await authorize?.(head.headers, this.#socket);
      if (request.left.aborted) return;
      request.sendTo(routeOf(head));
      this.#pool ??= new OriginPool(dial, limits, this.#clock);
      exchange(request, { pool: this.#pool, limits, clock: this.#clock });
    } catch (error) {
      request.refuse(error);
      request.body.resume();
    }
  }

  #newRequest(head: HttpRequestHead, length: number | 'chunked'): Http1Request {
    const left = new AbortController();
    this.#left = left;
    this.#state = 'serving';
    const request = new Http1Request({
      socket: this.#socket,
      head,
      length,
      left: left.signal,
      onWanted: () => void this.#socket.resume(),
      onOver: ending => this.#goOn(ending),
      onSwitched: upstream => this.#options.onSwitched(this.#release(), upstream),
    });
    this.#request = request;
    this.#advance();
    return request;
  }

  /** A request has its answer. */
  #goOn(ending: 'keep' | 'close'): void {
    this.#timer?.cancel();
    if (ending === 'close' || this.#ended) {
      this.#state = 'closing';
      endGently(this.#socket, this.#options.limits);
      return;
    }
    this.#request = undefined;
    this.#state = 'idle';
    this.#wait(this.#options.limits.keepAliveMs, () => this.#socket.destroy());
    this.#socket.resume();
  }

  /** The client may be waiting for its answer, or have gone: the longer the answer takes, the oftener it is asked. */
  #serveHalfClosed(): void {
    const { halfClosedAnswerMs, presenceCheckMs } = this.#options.limits;
    const since = this.#clock.now();
    const look = () => {
      const left = hasLeft(this.#socket);
      const tooLong = left === undefined && this.#clock.now() - since > halfClosedAnswerMs;
      // Once there is something to tell the client, TCP finds out.
      if (left === true || (tooLong && this.#request?.answered !== true)) this.#socket.destroy();
      else this.#wait(presenceCheckMs, look);
    };
    this.#request?.closeAfterwards();
    this.#wait(firstPresenceMs, look);
  }

  #refuse(error: unknown): void {
    this.#timer?.cancel();
    this.#state = 'closing';
    this.#request = undefined;
    this.#ahead = new Uint8Array();
    refuseTunnel(this.#socket, error);
  }
}

/** A plain request names its target in full; one to this proxy itself gets an explanation. */
function routeOf(head: HttpRequestHead): { target: Authority; path: string; host: string } {
  const asked = classifyProxyRequest(head);
  if (asked.kind === 'forward') return { target: asked.authority, path: asked.path, host: asked.host };
  throw new ProxyRefusal(
    400,
    'MANYPATH_FORWARD_NOT_ABSOLUTE',
    'this is a proxy, and the request names no http:// address in full',
    { hint: 'set this address as the proxy of a browser or program instead of opening it' },
  );
}

function headTimeout(milliseconds: number): ProxyRefusal {
  return new ProxyRefusal(
    408,
    'MANYPATH_FORWARD_HEAD_TIMEOUT',
    `the request did not arrive within ${milliseconds / 1000} s`,
  );
}
