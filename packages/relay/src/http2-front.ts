import {
  createServer,
  type Http2Server,
  constants as http2,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Socket } from 'node:net';
import { type Authority, aheadHeader, type HeaderField, parseAuthority, reachHeader } from '@manypath/core';
import { type Dial, errorResponse, type ForwardLimits, forwardHttp2Request } from '@manypath/forward';
import { aheadOf } from './ahead.ts';
import { ClientSession } from './client-session.ts';
import type { DialContext } from './dial.ts';
import type { RelayLimits } from './limits.ts';
import { plainRoute } from './plain-request.ts';
import { asksForRate, serveRate } from './rate-service.ts';

/** What the HTTP/2 side needs from the relay. */
export interface Http2FrontOptions {
  limits: RelayLimits;
  forwardLimits: ForwardLimits;
  /** Checks each request that came on a connection; what it throws is the answer. */
  authorize: (headers: readonly HeaderField[], socket: Socket) => Promise<void>;
  /** Opens connections for plain requests. */
  dial: Dial;
  /** Dials the target of a CONNECT; then {@link onTunnel} gets both ends. */
  dialTunnel: (target: Authority, context: DialContext) => Promise<Socket>;
  onTunnel: (stream: ServerHttp2Stream, upstream: Socket) => void;
}

/**
 * The HTTP/2 side of the relay: CONNECT (RFC 9113 §8.5) and plain requests with `:scheme http`.
 *
 * Once a client has shown the secret, windows are large, so that one tunnel can fill several fast paths; what a slow target
 * does not take stays with the client all the same, because a stream is only credited for bytes that were passed on.
 */
export class Http2Front {
  readonly #options: Http2FrontOptions;
  readonly #server: Http2Server;
  readonly #clients = new Map<ServerHttp2Session | undefined, ClientSession>();
  #draining = false;

  constructor(options: Http2FrontOptions) {
    this.#options = options;
    const { limits, forwardLimits } = options;
    this.#server = createServer({
      maxSessionMemory: limits.sessionMemoryMegabytes,
      // Fields may get a little longer by how they are written.
      maxSendHeaderBlockLength: 2 * forwardLimits.answerHeadBytes,
      maxHeaderListPairs: limits.headerFields,
      settings: {
        initialWindowSize: limits.strangersWindowBytes,
        maxConcurrentStreams: limits.strangersStreams,
        maxHeaderListSize: limits.headerListBytes,
        enablePush: false,
      },
    });
    this.#server.on('stream', (stream, headers, _flags, ...more: unknown[]) => {
      // Node hands over the fields as they came in a fourth argument, which its types do not know.
      void this.#serve(stream, headers, more[0] as readonly string[]);
    });
    this.#server.on('sessionError', (_error, session) => session.destroy());
  }

  /** HTTP/2 connections that are open. */
  get sessions(): number {
    return this.#clients.size;
  }

  /** Serves a connection on which `h2` was negotiated. */
  serve(socket: Socket): void {
    // The session comes while the event is being emitted, with a stand-in for the socket.
    const register = (session: ServerHttp2Session) => this.#register(session, socket);
    this.#server.once('session', register);
    this.#server.emit('connection', socket);
    this.#server.off('session', register);
  }

  /** Tells all clients to open no more streams here; the open ones go on. */
  drain(): void {
    this.#draining = true;
    this.sendAway();
  }

  /** Tells the clients that are connected to open further streams on new connections; the open ones go on. */
  sendAway(): void {
    for (const client of this.#clients.values()) client.drain();
  }

  /** Ends all connections. */
  hangUp(): void {
    for (const client of this.#clients.values()) client.end();
  }

  #register(session: ServerHttp2Session, socket: Socket): void {
    const client = new ClientSession(session, socket, this.#options);
    this.#clients.set(session, client);
    session.once('close', () => this.#clients.delete(session));
    if (this.#draining) client.drain();
  }

  async #serve(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
  ): Promise<void> {
    // A stream that the client resets while it is being dialled for must not bring the relay down.
    stream.on('error', () => {});
    const client = this.#clients.get(stream.session as ServerHttp2Session | undefined);
    if (client === undefined) return;
    client.watch(stream);
    const refuse = (error: unknown) => refuseStream(stream, headers, error, this.#options.limits.lingerMs);
    try {
      await this.#options.authorize(fieldsOf(headers), client.socket);
      client.accepted(aheadOf(headers[aheadHeader]));
      if (headers[':method'] === 'CONNECT') return await this.#connect(stream, headers);
      if (asksForRate(headers)) return serveRate(stream, headers, client.socket, this.#options.limits);
      const { pool } = client;
      const { forwardLimits: limits } = this.#options;
      const method = headers[':method'] ?? 'GET';
      forwardHttp2Request({ stream, method, rawHeaders, route: plainRoute(headers), pool, limits, refuse });
    } catch (error) {
      refuse(error);
    }
  }

  async #connect(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const closed = new AbortController();
    const onClose = () => closed.abort();
    stream.once('close', onClose);
    if (stream.destroyed || stream.closed) return;
    const target = parseAuthority(headers[':authority'] ?? '');
    const upstream = await this.#options.dialTunnel(target, {
      signal: closed.signal,
      publicOnly: headers[reachHeader] === 'public',
      aheadBytes: aheadOf(headers[aheadHeader]),
    });
    stream.off('close', onClose);
    if (stream.destroyed || stream.closed) {
      upstream.destroy();
      return;
    }
    stream.respond({ ':status': 200 });
    this.#options.onTunnel(stream, upstream);
  }
}

/** Answers a request with an error, and closes its stream. */
function refuseStream(
  stream: ServerHttp2Stream,
  request: IncomingHttpHeaders,
  error: unknown,
  lingerMs: number,
): void {
  if (stream.destroyed || stream.closed) return;
  // Once the status is gone, only breaking off tells the client that the answer is not whole.
  if (stream.headersSent) return void stream.close(http2.NGHTTP2_INTERNAL_ERROR);
  const { status, headers, body } = errorResponse(error, request.accept);
  const fields = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  stream.respond({ ...fields, ':status': status });
  stream.end(request[':method'] === 'HEAD' ? undefined : body);
  // What the client sent in advance is dropped; one that goes on sending is told to stop (RFC 9113 §8.1).
  stream.resume();
  const timer = setTimeout(() => stream.close(http2.NGHTTP2_NO_ERROR), lingerMs);
  timer.unref();
  stream.once('close', () => clearTimeout(timer));
}

function fieldsOf(headers: IncomingHttpHeaders): HeaderField[] {
  return Object.entries(headers).map(([name, value]) => [name, String(value)]);
}
