import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import {
  constants as http2,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { endToEndHeaders, type HeaderField, parseAuthority } from '@manypath/core';
import { type ForwardLimits, flushHead, mayRepeat, type OriginAgent, ProxyRefusal } from '@manypath/forward';

/** Only http:// requests are forwarded as they are (400 `MANYPATH_RELAY_NOT_PLAIN`). */
export class NotPlainError extends ProxyRefusal {
  constructor(message: string) {
    super(400, 'MANYPATH_RELAY_NOT_PLAIN', message, {
      hint: 'use CONNECT for https:// and everything else but http://',
    });
  }
}

/** The origin did not begin its answer in time (504 `MANYPATH_RELAY_ORIGIN_TIMEOUT`). */
export class OriginTimeoutError extends ProxyRefusal {
  constructor(milliseconds: number) {
    super(504, 'MANYPATH_RELAY_ORIGIN_TIMEOUT', `the origin did not answer within ${milliseconds / 1000} s`);
  }
}

/** The origin broke off or answered what is no HTTP (502 `MANYPATH_RELAY_ORIGIN_FAILED`). */
export class OriginFailedError extends ProxyRefusal {
  constructor(cause: unknown) {
    super(502, 'MANYPATH_RELAY_ORIGIN_FAILED', 'the origin gave no answer that can be passed on', { cause });
  }
}

/** A request that came on an HTTP/2 stream. */
export interface PlainRequest {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** Names and values alternating, as they came. */
  readonly rawHeaders: readonly string[];
}

export interface ForwardOptions {
  agent: OriginAgent;
  limits: Pick<ForwardLimits, 'responseHeadMs' | 'idleMs' | 'forwardHeadBytes'>;
  /** Answers the client when there is nothing of the origin to pass on. */
  refuse: (error: unknown) => void;
}

/**
 * Forwards a plain request of HTTP/2 (`:scheme http`) to its origin, which is spoken to in HTTP/1.1: bodies of known and
 * unknown length, trailers both ways, 1xx answers.
 *
 * @throws NotPlainError `MANYPATH_RELAY_NOT_PLAIN`
 * @throws AuthorityInvalidError `MANYPATH_AUTHORITY_INVALID`
 */
export function forwardPlainRequest(request: PlainRequest, options: ForwardOptions): void {
  const { stream, headers } = request;
  const { limits, refuse } = options;
  let answer: IncomingMessage | undefined;
  let outgoing = send();
  stream.once('close', () => {
    if (answer?.readableEnded !== true) outgoing.destroy();
  });

  function send(): ClientRequest {
    const attempt = requestTo(request, options);
    const fail = (error: unknown) => {
      const unanswered = answer === undefined && !stream.destroyed;
      if (unanswered && endsAtHead(stream) && mayRepeat(attempt, error)) outgoing = send();
      // Once the status is gone, only breaking off tells the client that the body is not whole.
      else if (!stream.headersSent)
        refuse(error instanceof ProxyRefusal ? error : new OriginFailedError(error));
      else if (!answer?.complete) stream.close(http2.NGHTTP2_INTERNAL_ERROR);
    };
    attempt.once('response', response => {
      answer = response;
      attempt.setTimeout(limits.idleMs);
      sendBack(answer, stream, headers[':method'] === 'HEAD', fail);
    });
    attempt.once('continue', () => sendInformation(stream, { ':status': 100 }));
    let hints = 0;
    attempt.on('information', ({ statusCode, headers: fields }) => {
      if (statusCode !== 103 || hints === mostHints) return;
      hints += 1;
      sendInformation(stream, { ...passedOn(fields), ':status': 103 });
    });
    attempt.once('upgrade', (_answer, socket) => {
      socket.destroy();
      fail(new Error('the origin switched protocols unasked'));
    });
    attempt.once('timeout', () => attempt.destroy(new OriginTimeoutError(limits.responseHeadMs)));
    attempt.on('error', fail);
    sendBody(stream, attempt);
    return attempt;
  }
}

/** Hints of one origin that are passed on: no window of HTTP/2 keeps more of them from piling up. */
const mostHints = 8;

/** Whether a request came without a body. */
function endsAtHead(stream: ServerHttp2Stream): boolean {
  return (stream as ServerHttp2Stream & { readonly endAfterHeaders: boolean }).endAfterHeaders;
}

function requestTo(request: PlainRequest, { agent, limits }: ForwardOptions): ClientRequest {
  const { headers, stream } = request;
  if (headers[':scheme'] !== 'http')
    throw new NotPlainError('only http:// requests are forwarded as they are');
  const path = String(headers[':path'] ?? '');
  if (!path.startsWith('/') && path !== '*') throw new NotPlainError('the path of the request is malformed');
  const authority = String(headers[':authority'] ?? headers.host ?? '');
  const { host, port } = parseAuthority(authority, 80);
  const method = String(headers[':method'] ?? 'GET');
  const fields: HeaderField[] = [['Host', authority], ...requestFields(request.rawHeaders)];
  if (headers['content-length'] === undefined) {
    if (!endsAtHead(stream)) fields.push(['Transfer-Encoding', 'chunked']);
    else if (!bodyless.has(method)) fields.push(['Content-Length', '0']);
  }
  const { responseHeadMs: timeout, forwardHeadBytes: maxHeaderSize } = limits;
  return httpRequest({
    agent,
    host,
    port,
    method,
    path,
    headers: fields.flat(),
    setHost: false,
    timeout,
    maxHeaderSize,
  });
}

/** Methods whose requests say nothing about a body that they do not have; RFC 9110 §8.6. */
const bodyless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/** The end-to-end fields of a request, with its cookies in one field again; RFC 9113 §8.2.3. */
function requestFields(raw: readonly string[]): HeaderField[] {
  const fields = endToEndHeaders(pairs(raw)).filter(([name]) => !name.startsWith(':') && name !== 'host');
  const cookies = fields.filter(([name]) => name === 'cookie').map(([, value]) => value);
  const others = fields.filter(([name]) => name !== 'cookie');
  return cookies.length === 0 ? others : [...others, ['Cookie', cookies.join('; ')]];
}

function sendBody(stream: ServerHttp2Stream, outgoing: ClientRequest): void {
  if (endsAtHead(stream)) {
    stream.resume();
    outgoing.end();
    return;
  }
  // The origin may have something to say before the first piece comes.
  flushHead(outgoing);
  let trailers: readonly HeaderField[] = [];
  stream.once('trailers', (_joined, _flags, raw?: readonly string[]) => {
    trailers = endToEndHeaders(pairs(raw ?? []));
  });
  stream.once('end', () => {
    if (trailers.length > 0)
      outgoing.addTrailers(trailers.map(([name, value]): [string, string] => [name, value]));
    outgoing.end();
  });
  stream.pipe(outgoing, { end: false });
  // An origin that has said all it wants to say may close: the rest of the body is for nobody.
  outgoing.once('close', () => stream.unpipe(outgoing).resume());
}

function sendBack(
  answer: IncomingMessage,
  stream: ServerHttp2Stream,
  isHead: boolean,
  fail: (error: unknown) => void,
): void {
  answer.once('aborted', () => fail(new Error('the origin broke off')));
  answer.once('error', fail);
  if (stream.destroyed || stream.closed) {
    answer.destroy();
    return;
  }
  const status = answer.statusCode ?? 502;
  const waitForTrailers = answer.headers['transfer-encoding'] !== undefined && !isHead && !isEmpty(status);
  try {
    stream.respond({ ...passedOn(answer.headers), ':status': status }, { waitForTrailers });
  } catch (error) {
    answer.destroy();
    fail(error);
    return;
  }
  stream.once('wantTrailers', () => stream.sendTrailers(passedOn(answer.trailers)));
  answer.pipe(stream);
}

/** Answers that never have a body; RFC 9110 §6.4.1. */
function isEmpty(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function sendInformation(stream: ServerHttp2Stream, headers: OutgoingHttpHeaders): void {
  if (!stream.headersSent && !stream.destroyed && !stream.closed) stream.additionalHeaders(headers);
}

/** Response fields as HTTP/2 takes them: lower case, end-to-end only; RFC 9113 §8.2.2. */
function passedOn(headers: NodeJS.Dict<string | string[]>): OutgoingHttpHeaders {
  const fields = Object.keys(headers).map((name): HeaderField => [name, '']);
  const named: HeaderField[] =
    headers.connection === undefined ? [] : [['connection', String(headers.connection)]];
  const kept = endToEndHeaders([...fields, ...named]).map(([name]) => name);
  return Object.fromEntries(
    kept
      .filter(name => name !== 'http2-settings' && !name.startsWith(':'))
      .map(name => [name, headers[name]]),
  );
}

function pairs(raw: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return fields;
}
