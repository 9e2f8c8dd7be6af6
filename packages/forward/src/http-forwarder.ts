import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Authority, classifyProxyRequest, coreLimits, type HttpRequestHead } from '@manypath/core';
import { endGently, refuseRequest, refuseTunnel } from './answers.ts';
import { exchange } from './exchange.ts';
import type { ForwardLimits } from './limits.ts';
import { OriginAgent } from './origin-agent.ts';
import { ProxyRefusal } from './proxy-error.ts';
import { type RelayHandle, RelayResetError, relayBytes } from './relay-bytes.ts';
import { asksToUpgrade, badRequest, checkHead, hasBody, headOf, headWithoutUpgrade } from './request-head.ts';

/** What an {@link HttpForwarder} needs from its proxy. */
export interface HttpForwarderOptions {
  dial: (target: Authority, context: { signal: AbortSignal; client: Duplex }) => Promise<Duplex>;
  authorize?: (headers: HttpRequestHead['headers'], client: Duplex) => void | Promise<void>;
  /** A CONNECT that came on a connection which had carried plain requests before. */
  onConnect: (head: HttpRequestHead, socket: Duplex) => void;
  limits: ForwardLimits;
}

/** A connection of a client. */
interface Client {
  /** One a client, so that a connection counts for the client that opened it. */
  readonly agent: OriginAgent;
  /** Requests that are not answered in full. */
  readonly open: Set<ServerResponse>;
}

/**
 * Forwards plain HTTP requests (absolute-form, RFC 9112 §3.2.2): keep-alive on both sides, chunked bodies and trailers,
 * Expect: 100-continue, Upgrade. The parsing is Node's own, in its strict mode.
 */
export class HttpForwarder {
  readonly #options: HttpForwarderOptions;
  readonly #server: Server;
  readonly #clients = new WeakMap<Duplex, Client>();
  /** What became of upgrades. */
  readonly #tunnels = new Set<RelayHandle>();

  constructor(options: HttpForwarderOptions) {
    this.#options = options;
    const { forwardHeadBytes, requestHeadMs, keepAliveMs } = options.limits;
    this.#server = createServer({
      maxHeaderSize: forwardHeadBytes,
      headersTimeout: requestHeadMs,
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: 1000,
      insecureHTTPParser: false,
      joinDuplicateHeaders: true,
    });
    // Node leaves out what is beyond, even fields that tell the length of the body: one too many is refused later.
    this.#server.maxHeadersCount = coreLimits.httpHeaderCount + 1;
    // Node begins to watch for slow requests when a server listens, which this one never does.
    this.#server.emit('listening');
    const forward = (request: IncomingMessage, response: ServerResponse) =>
      void this.#forward(request, response);
    this.#server.on('request', forward);
    this.#server.on('checkContinue', forward);
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      if (this.#isFree(socket)) this.#upgrade(request, socket, first);
    });
    this.#server.on('connect', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      if (!this.#isFree(socket)) return;
      if (first.length > 0) socket.unshift(first);
      options.onConnect(headOf(request), socket);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      this.#refuseNoise(error, socket),
    );
  }

  /** Serves all requests of a connection, of which `firstBytes` have been read already. */
  serve(socket: Duplex, firstBytes: Uint8Array): void {
    if (!this.#clients.has(socket)) {
      const dial = (target: Authority, signal: AbortSignal) =>
        this.#options.dial(target, { signal, client: socket });
      const agent = new OriginAgent(dial, this.#options.limits);
      this.#clients.set(socket, { agent, open: new Set() });
      socket.once('close', () => agent.destroy());
    }
    this.#server.emit('connection', socket);
    socket.unshift(firstBytes);
    socket.resume();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
    for (const tunnel of this.#tunnels) tunnel.abort(new RelayResetError('proxy'));
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = request.socket as Duplex;
    const client = this.#clients.get(socket);
    client?.open.add(response);
    response.once('close', () => client?.open.delete(response));
    try {
      await this.#options.authorize?.(headOf(request).headers, socket);
      if (client === undefined || socket.destroyed) return;
      const route = routeOf(request);
      const { limits } = this.#options;
      const onTunnel = (client: Duplex, upstream: Duplex) => this.#join(client, upstream);
      exchange(request, response, { ...route, agent: client.agent, limits, onTunnel });
    } catch (error) {
      refuseRequest(error, request, response);
    }
  }

  #upgrade(request: IncomingMessage, socket: Duplex, first: Buffer): void {
    if (hasBody(request) || !asksToUpgrade(request) || request.httpVersionMinor === 0) {
      // Node stops reading where the body begins. Upgrading is a favour, so it is a plain request then.
      this.serve(socket, Buffer.concat([headWithoutUpgrade(request), first]));
      return;
    }
    // Node has let go of the socket, with its listeners.
    socket.on('error', () => socket.destroy());
    if (first.length > 0) socket.unshift(first);
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.once('finish', () => {
      response.detachSocket(socket as Socket);
      endGently(socket);
    });
    void this.#forward(request, response);
  }

  #join(client: Duplex, upstream: Duplex): void {
    const tunnel = relayBytes(client, upstream, { limits: this.#options.limits });
    this.#tunnels.add(tunnel);
    void tunnel.done.then(() => this.#tunnels.delete(tunnel));
  }

  /** Whether a connection can change its purpose: not before all requests on it have been answered. */
  #isFree(socket: Duplex): boolean {
    if (this.#clients.get(socket)?.open.size === 0) return true;
    socket.on('error', () => {}).destroy();
    return false;
  }

  #refuseNoise(error: NodeJS.ErrnoException, socket: Duplex): void {
    const open = this.#clients.get(socket)?.open ?? [];
    // An answer that has begun must not get another one into its body.
    if (!socket.writable || error.code === 'ECONNRESET' || [...open].some(({ headersSent }) => headersSent)) {
      socket.destroy();
      return;
    }
    const [status, message] = parserRefusals[error.code ?? ''] ?? [400, 'this is not an HTTP request'];
    refuseTunnel(socket, badRequest(status, message, error));
  }
}

const parserRefusals: Record<string, readonly [status: number, message: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the request head is too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
};

/** A plain request names its target in full; one to this proxy itself gets an explanation. */
function routeOf(request: IncomingMessage): { target: Authority; path: string; host: string } {
  checkHead(request);
  const asked = classifyProxyRequest(headOf(request));
  if (asked.kind === 'forward') return { target: asked.authority, path: asked.path, host: asked.host };
  throw new ProxyRefusal(
    400,
    'MANYPATH_FORWARD_NOT_ABSOLUTE',
    'this is a proxy, and the request names no http:// address in full',
    { hint: 'set this address as the proxy of a browser or program instead of opening it' },
  );
}
