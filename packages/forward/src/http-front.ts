import type { Duplex } from 'node:stream';
import {
  type Authority,
  type HttpRequestHead,
  HttpRequestHeadParser,
  headerValue,
  parseAuthority,
} from '@manypath/core';
import { refuseTunnel } from './answers.ts';
import { HttpForwarder } from './http-forwarder.ts';
import { type ForwardLimits, forwardLimits } from './limits.ts';
import { ProxyRefusal } from './proxy-error.ts';

/** Opens a way to a target. Rejections tell the client why, by {@link statusOf}. */
export type Dial = (target: Authority, context: { signal: AbortSignal }) => Promise<Duplex>;

/** A client asked for a tunnel: answer with {@link acceptTunnel} or {@link refuseTunnel}. */
export interface TunnelRequest {
  readonly socket: Duplex;
  readonly target: Authority;
  readonly head: HttpRequestHead;
}

/** What a proxy does with what its {@link HttpFront} reads. */
export interface HttpFrontOptions {
  /** A CONNECT request. Bytes that came behind it are first to be read from the socket. */
  onTunnel: (request: TunnelRequest) => void;
  /** Opens connections for plain HTTP requests. `client` is the socket that the request came from. */
  dial: (target: Authority, context: { signal: AbortSignal; client: Duplex }) => Promise<Duplex>;
  /** Checks each request's header fields; what it throws is the answer. */
  authorize?: (headers: HttpRequestHead['headers'], client: Duplex) => void | Promise<void>;
  /**
   * A request for this proxy itself, its target a path. What came behind it is first to be read from the socket.
   *
   * @returns Whether it was answered; else it is forwarded, as far as it says where to.
   */
  onOwn?: (socket: Duplex, head: HttpRequestHead) => boolean;
  limits?: Partial<ForwardLimits>;
}

/**
 * The HTTP/1.1 side of a proxy: reads the first request of a connection and passes it on, as a tunnel when it
 * is CONNECT, else to the forwarder of plain HTTP.
 */
export class HttpFront {
  readonly #options: HttpFrontOptions;
  readonly #limits: ForwardLimits;
  readonly #forwarder: HttpForwarder;

  constructor(options: HttpFrontOptions) {
    this.#options = options;
    this.#limits = { ...forwardLimits, ...options.limits };
    this.#forwarder = new HttpForwarder({
      dial: options.dial,
      limits: this.#limits,
      ...(options.authorize === undefined ? {} : { authorize: options.authorize }),
      onConnect: (head, socket) => void this.#tunnel(head, socket),
    });
  }

  /** Serves a connection whose first bytes may have been put back with `unshift`. */
  serve(socket: Duplex): void {
    const parser = new HttpRequestHeadParser({ httpHeadBytes: this.#limits.forwardHeadBytes });
    const received: Buffer[] = [];
    const stopReading = () => {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onEnd).off('error', onEnd).off('close', onEnd);
      socket.pause();
    };
    const refuse = (error: unknown) => {
      stopReading();
      refuseTunnel(socket, error);
    };
    const onEnd = () => {
      stopReading();
      socket.destroy();
    };
    const onData = (bytes: Buffer) => {
      received.push(bytes);
      try {
        const head = parser.push(bytes);
        if (head === undefined) return;
        stopReading();
        this.#dispatch(socket, head, parser.rest, received);
      } catch (error) {
        refuse(error);
      }
    };
    const timer = setTimeout(
      () => refuse(headTimeout(this.#limits.requestHeadMs)),
      this.#limits.requestHeadMs,
    );
    timer.unref();
    socket.on('data', onData).on('end', onEnd).on('error', onEnd).on('close', onEnd);
  }

  /** Ends the keep-alive connections to origins. */
  close(): void {
    this.#forwarder.close();
  }

  #dispatch(socket: Duplex, head: HttpRequestHead, rest: Uint8Array, received: readonly Buffer[]): void {
    if (head.method !== 'CONNECT') {
      if (head.target.startsWith('/') && this.#options.onOwn?.(socket, head) === true) {
        if (rest.length > 0) socket.unshift(Buffer.from(rest));
        socket.resume();
        return;
      }
      this.#forwarder.serve(socket, Buffer.concat(received));
      return;
    }
    if (rest.length > 0) socket.unshift(Buffer.from(rest));
    void this.#tunnel(head, socket);
  }

  async #tunnel(head: HttpRequestHead, socket: Duplex): Promise<void> {
    const swallow = () => {};
    socket.on('error', swallow);
    try {
      await this.#options.authorize?.(head.headers, socket);
      if (socket.destroyed) return;
      this.#options.onTunnel({ socket, head, target: parseAuthority(head.target) });
    } catch (error) {
      refuseTunnel(socket, error, headerValue(head.headers, 'accept'));
    } finally {
      socket.off('error', swallow);
    }
  }
}

function headTimeout(milliseconds: number): ProxyRefusal {
  return new ProxyRefusal(
    408,
    'MANYPATH_FORWARD_HEAD_TIMEOUT',
    `the request did not arrive within ${milliseconds / 1000} s`,
  );
}
