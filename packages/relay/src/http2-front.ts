import { request as httpRequest } from 'node:http';
import {
  createServer,
  type Http2Server,
  constants as http2,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { type Authority, endToEndHeaders, type HeaderField, parseAuthority } from '@manypath/core';
import { errorResponse, forwardLimits, OriginAgent, ProxyRefusal, statusOf } from '@manypath/forward';
import type { RelayLimits } from './limits.ts';

/** What the HTTP/2 side needs from the relay. */
export interface Http2FrontOptions {
  limits: RelayLimits;
  authorize: (headers: readonly HeaderField[], client: Duplex) => Promise<void>;
  dial: (target: Authority, context: { signal: AbortSignal }) => Promise<Duplex>;
  /** Takes over an open tunnel. */
  onTunnel: (stream: Duplex, upstream: Duplex) => void;
}

/**
 * The HTTP/2 side of the relay: CONNECT (RFC 9113 §8.5) and plain requests with `:scheme http`.
 *
 * Windows are large, so that one tunnel can fill several fast paths; what a slow target does not take stays with the
 * client all the same, because a stream is only credited for bytes that were passed on.
 */
export class Http2Front {
  readonly #options: Http2FrontOptions;
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(options: Http2FrontOptions) {
    this.#options = options;
    const { limits } = options;
    this.#server = createServer({
      maxSessionMemory: limits.sessionMemoryMegabytes,
      maxHeaderListPairs: 200,
      settings: {
        initialWindowSize: limits.streamWindowBytes,
        maxConcurrentStreams: limits.streamsPerConnection,
        maxHeaderListSize: limits.headerListBytes,
        enablePush: false,
      },
    });
    this.#server.on('session', session => this.#watchSession(session));
    this.#server.on('stream', (stream, headers) => void this.#serve(stream, headers));
    this.#server.on('sessionError', (_error, session) => session.destroy());
  }

  /** Serves a connection on which `h2` was negotiated. */
  serve(socket: Duplex): void {
    this.#server.emit('connection', socket);
  }

  /** Tells all clients to open no more streams here; the open ones go on. */
  drain(): void {
    for (const session of this.#sessions) session.close();
  }

  #watchSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.setLocalWindowSize(this.#options.limits.sessionWindowBytes);
    session.setTimeout(this.#options.limits.idleSessionMs, () => session.close());
  }

  async #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    // Streams that a client resets while they are being dialled must not bring the relay down.
    stream.on('error', () => {});
    const closed = new AbortController();
    stream.once('close', () => closed.abort());
    try {
      await this.#options.authorize(fieldsOf(headers), clientOf(stream));
      if (headers[':method'] === 'CONNECT') await this.#connect(stream, headers, closed.signal);
      else this.#forward(stream, headers);
    } catch (error) {
      if (!stream.destroyed) refuse(stream, error, headers.accept);
    }
  }

  async #connect(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    signal: AbortSignal,
  ): Promise<void> {
    const target = parseAuthority(headers[':authority'] ?? '');
    const upstream = await this.#options.dial(target, { signal });
    if (stream.destroyed) {
      upstream.destroy();
      return;
    }
    stream.respond({ ':status': 200 });
    this.#options.onTunnel(stream, upstream);
  }

  #forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    if (headers[':scheme'] !== 'http') throw notPlain();
    const { host, port } = parseAuthority(headers[':authority'] ?? headers.host ?? '', 80);
    const agent = new OriginAgent((target, signal) => this.#options.dial(target, { signal }), forwardLimits);
    const outgoing = httpRequest({
      agent,
      host,
      port,
      method: String(headers[':method'] ?? 'GET'),
      path: String(headers[':path'] ?? '/'),
      headers: { ...plainHeaders(headers), host: String(headers[':authority'] ?? headers.host) },
      timeout: forwardLimits.responseHeadMs,
    });
    outgoing.once('response', answer => {
      const { connection: _, ...rest } = answer.headers;
      stream.respond({ ...lowerHeaders(answer.rawHeaders, rest), ':status': answer.statusCode ?? 502 });
      answer.pipe(stream);
    });
    outgoing.once('error', error => {
      if (stream.headersSent) stream.close(http2.NGHTTP2_INTERNAL_ERROR);
      else if (!stream.destroyed) refuse(stream, error, headers.accept);
    });
    stream.once('close', () => {
      outgoing.destroy();
      agent.destroy();
    });
    stream.pipe(outgoing);
  }
}

function refuse(stream: ServerHttp2Stream, error: unknown, accept?: string): void {
  const { headers, body } = errorResponse(error, accept);
  const fields = Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value]));
  stream.respond({ ...fields, ':status': statusOf(error) });
  stream.end(body);
  // What the client sent in advance is dropped; reading it lets the stream close.
  stream.resume();
}

function notPlain(): ProxyRefusal {
  return new ProxyRefusal(400, 'MANYPATH_RELAY_SCHEME', 'only http:// requests are forwarded as they are', {
    hint: 'use CONNECT for https:// and everything else',
  });
}

function clientOf(stream: ServerHttp2Stream): Duplex {
  return stream.session?.socket as Duplex;
}

function fieldsOf(headers: IncomingHttpHeaders): HeaderField[] {
  return Object.entries(headers).map(([name, value]) => [name, String(value)]);
}

/** Request fields without pseudo-header and hop-by-hop ones. */
function plainHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  const kept = new Set(endToEndHeaders(Object.keys(headers).map(name => [name, ''])).map(([name]) => name));
  const entries = Object.entries(headers).filter(([name]) => kept.has(name) && !name.startsWith(':'));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']));
}

/** Response fields as HTTP/2 wants them: lower case, end-to-end only. */
function lowerHeaders(
  raw: readonly string[],
  joined: NodeJS.Dict<string | string[]>,
): Record<string, string | string[]> {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? '']);
  const kept = new Set(endToEndHeaders(fields).map(([name]) => name.toLowerCase()));
  const entries = Object.entries(joined).filter(([name]) => kept.has(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, value ?? '']));
}
