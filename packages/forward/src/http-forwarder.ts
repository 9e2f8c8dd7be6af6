import {
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type Authority,
  classifyProxyRequest,
  connectionOptions,
  encodeResponseHead,
  endToEndHeaders,
  type HeaderField,
  type HttpRequestHead,
} from '@manypath/core';
import type { ForwardLimits } from './limits.ts';
import { OriginAgent } from './origin-agent.ts';
import { errorResponse, ProxyRefusal } from './proxy-error.ts';
import { relayBytes } from './relay-bytes.ts';

/** What an {@link HttpForwarder} needs from its proxy. */
export interface HttpForwarderOptions {
  dial: (target: Authority, context: { signal: AbortSignal; client: Duplex }) => Promise<Duplex>;
  authorize?: (headers: HttpRequestHead['headers'], client: Duplex) => void | Promise<void>;
  /** A CONNECT that came on a connection which had carried plain requests before. */
  onConnect: (head: HttpRequestHead, socket: Duplex) => void;
  limits: ForwardLimits;
}

/**
 * Forwards plain HTTP requests (absolute-form, RFC 9112 §3.2.2): keep-alive on both sides, chunked bodies and trailers,
 * Expect: 100-continue, Upgrade. The parsing is Node's own, in its strict mode.
 */
export class HttpForwarder {
  readonly #options: HttpForwarderOptions;
  readonly #server: Server;
  /** One agent a client connection, so that a connection counts for the client that opened it. */
  readonly #agents = new WeakMap<Duplex, OriginAgent>();

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
    // Node begins to watch for slow requests when a server listens, which this one never does.
    this.#server.emit('listening');
    const forward = (request: IncomingMessage, response: ServerResponse) =>
      void this.#forward(request, response);
    this.#server.on('request', forward);
    this.#server.on('checkContinue', forward);
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      if (first.length > 0) socket.unshift(first);
      void this.#forward(request, detachedResponse(request, socket));
    });
    this.#server.on('connect', (request: IncomingMessage, socket: Duplex, first: Buffer) => {
      if (first.length > 0) socket.unshift(first);
      options.onConnect(headOf(request), socket);
    });
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) =>
      answerBadRequest(error, socket),
    );
  }

  /** Serves all requests of a connection, of which `firstBytes` have been read already. */
  serve(socket: Duplex, firstBytes: Buffer): void {
    const agent = new OriginAgent((target, signal) => {
      return this.#options.dial(target, { signal, client: socket });
    }, this.#options.limits);
    this.#agents.set(socket, agent);
    socket.once('close', () => agent.destroy());
    this.#server.emit('connection', socket);
    socket.unshift(firstBytes);
    socket.resume();
  }

  close(): void {
    this.#server.closeAllConnections();
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const client = request.socket as Duplex;
    try {
      await this.#options.authorize?.(fieldsOf(request.rawHeaders), client);
      const { target, path, host } = targetOf(request);
      const agent = this.#agents.get(client);
      if (agent === undefined || client.destroyed) return;
      exchange(request, response, { target, path, host, agent, limits: this.#options.limits });
    } catch (error) {
      answerError(error, request, response);
    }
  }
}

interface Exchange {
  target: Authority;
  path: string;
  host: string;
  agent: OriginAgent;
  limits: ForwardLimits;
}

/** Sends a request to its origin and the response back. */
function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  { target, path, host, agent, limits }: Exchange,
): void {
  const upgrade = isUpgrade(request);
  const outgoing = httpRequest({
    agent,
    host: target.host,
    port: target.port,
    method: request.method ?? 'GET',
    path,
    headers: requestHeaders(request, host, upgrade).flat(),
    timeout: limits.responseHeadMs,
    setHost: false,
  });
  outgoing.once('response', answer => sendBack(answer, response));
  outgoing.once('continue', () => response.writeContinue());
  outgoing.on('information', ({ statusCode, headers }) => {
    if (statusCode === 103 && headers.link !== undefined) response.writeEarlyHints({ link: headers.link });
  });
  outgoing.once('upgrade', (answer, upstream, first) => tunnel(request, answer, upstream, first));
  outgoing.once('timeout', () => outgoing.destroy(responseTimeout(limits.responseHeadMs)));
  outgoing.once('error', error => answerError(error, request, response));
  response.once('close', () => {
    if (!response.writableFinished) outgoing.destroy();
  });
  // A client that waits for 100 sends no body until the origin has seen the head.
  if (request.headers.expect !== undefined) outgoing.flushHeaders();
  if (upgrade) outgoing.end();
  else sendBody(request, outgoing);
}

function sendBody(request: IncomingMessage, outgoing: ClientRequest): void {
  request.pipe(outgoing, { end: false });
  request.once('end', () => {
    if (Object.keys(request.trailers).length > 0)
      outgoing.addTrailers(fieldsOf(request.rawTrailers) as [string, string][]);
    outgoing.end();
  });
  request.once('aborted', () => outgoing.destroy());
}

function sendBack(answer: IncomingMessage, response: ServerResponse): void {
  const headers = endToEndHeaders(fieldsOf(answer.rawHeaders));
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', headers.flat());
  answer.pipe(response, { end: false });
  answer.once('end', () => {
    if (Object.keys(answer.trailers).length > 0)
      response.addTrailers(fieldsOf(answer.rawTrailers) as [string, string][]);
    response.end();
  });
  // The status is gone already: only breaking off tells the client that the body is not whole.
  answer.once('aborted', () => response.destroy());
  answer.once('error', () => response.destroy());
}

/** The origin switched protocols: from here on bytes are relayed as they are. */
function tunnel(request: IncomingMessage, answer: IncomingMessage, upstream: Duplex, first: Buffer): void {
  const client = request.socket as Duplex;
  const headers = endToEndHeaders(fieldsOf(answer.rawHeaders));
  const switching: HeaderField[] = [
    ...headers,
    ['Connection', 'Upgrade'],
    ['Upgrade', answer.headers.upgrade ?? ''],
  ];
  client.write(encodeResponseHead(101, answer.statusMessage ?? 'Switching Protocols', switching));
  if (first.length > 0) upstream.unshift(first);
  relayBytes(client, upstream);
}

/** A plain request names its target in full; one to this proxy itself gets an explanation. */
function targetOf(request: IncomingMessage): { target: Authority; path: string; host: string } {
  const asked = classifyProxyRequest(headOf(request));
  if (asked.kind === 'forward') return { target: asked.authority, path: asked.path, host: asked.host };
  throw new ProxyRefusal(
    400,
    'MANYPATH_FORWARD_NOT_ABSOLUTE',
    'this is a proxy, and the request names no http:// address in full',
    { hint: 'set this address as the proxy of a browser or program instead of opening it' },
  );
}

function requestHeaders(request: IncomingMessage, host: string, upgrade: boolean): HeaderField[] {
  const headers = endToEndHeaders(fieldsOf(request.rawHeaders));
  // Host must be the one of the target, RFC 9112 §3.2.2; a client may have sent another.
  const passed: HeaderField[] = [
    ['Host', host],
    ...headers.filter(([name]) => name.toLowerCase() !== 'host'),
  ];
  if (request.headers['transfer-encoding'] !== undefined) passed.push(['Transfer-Encoding', 'chunked']);
  if (upgrade) passed.push(['Connection', 'Upgrade'], ['Upgrade', request.headers.upgrade ?? '']);
  else passed.push(['Connection', 'keep-alive']);
  return passed;
}

function isUpgrade(request: IncomingMessage): boolean {
  return (
    request.headers.upgrade !== undefined &&
    connectionOptions(fieldsOf(request.rawHeaders)).includes('upgrade')
  );
}

function answerError(error: unknown, request: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, reason, headers, body } = errorResponse(error, request.headers.accept);
  response.writeHead(status, reason, headers.flat());
  response.end(request.method === 'HEAD' ? undefined : body);
  // The rest of a body that nobody wants is read, so that the connection can be used again.
  request.resume();
}

const parserRefusals: Record<string, readonly [status: number, message: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'the request head is too large'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request did not arrive in time'],
};

function answerBadRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, message] = parserRefusals[error.code ?? ''] ?? [400, 'this is not an HTTP request'];
  const refusal = new ProxyRefusal(status, 'MANYPATH_FORWARD_BAD_REQUEST', message, { cause: error });
  const { reason, headers, body } = errorResponse(refusal);
  socket.end(
    Buffer.concat([
      encodeResponseHead(status, reason, [...headers, ['Connection', 'close']]),
      Buffer.from(body),
    ]),
  );
}

function responseTimeout(milliseconds: number): ProxyRefusal {
  const message = `the origin did not answer within ${milliseconds / 1000} s`;
  return new ProxyRefusal(504, 'MANYPATH_FORWARD_RESPONSE_TIMEOUT', message);
}

/** A response for a request whose socket Node has let go of, as it does on an upgrade. */
function detachedResponse(request: IncomingMessage, socket: Duplex): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket as never);
  response.once('finish', () => {
    response.detachSocket(socket as never);
    socket.end();
  });
  return response;
}

function headOf(request: IncomingMessage): HttpRequestHead {
  const { method = 'GET', url: target = '', rawHeaders } = request;
  return {
    method,
    target,
    version: request.httpVersionMinor === 0 ? '1.0' : '1.1',
    headers: fieldsOf(rawHeaders),
  };
}

function fieldsOf(raw: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return fields;
}
