import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type Authority,
  encodeResponseHead,
  endToEndHeaders,
  type HeaderField,
  ManypathError,
} from '@manypath/core';
import { refuseRequest } from './answers.ts';
import type { ForwardLimits } from './limits.ts';
import type { OriginAgent } from './origin-agent.ts';
import { flushHead, mayRepeat } from './outgoing.ts';
import { ProxyRefusal } from './proxy-error.ts';
import { asksToUpgrade, fieldsForOrigin, fieldsOf, hasBody } from './request-head.ts';

/** The origin broke off or answered what cannot be passed on (502 `MANYPATH_FORWARD_ORIGIN_FAILED`). */
export class OriginFailedError extends ProxyRefusal {
  constructor(cause: unknown) {
    super(502, 'MANYPATH_FORWARD_ORIGIN_FAILED', 'the origin gave no answer that can be passed on', {
      cause,
    });
  }
}

/** Where a request goes, and how. */
export interface Route {
  target: Authority;
  path: string;
  host: string;
  agent: OriginAgent;
  limits: ForwardLimits;
  /** Called when the origin has switched protocols and the client was told so. */
  onTunnel: (client: Duplex, upstream: Duplex) => void;
}

/** Sends a request to its origin and the response back. */
export function exchange(request: IncomingMessage, response: ServerResponse, route: Route): void {
  const { target, path, host, agent, limits } = route;
  const upgrade = asksToUpgrade(request);
  let outgoing = send();
  response.once('close', () => {
    if (!response.writableFinished) outgoing.destroy();
  });

  function send(): ClientRequest {
    const attempt = httpRequest({
      agent,
      host: target.host,
      port: target.port,
      method: request.method ?? 'GET',
      path,
      headers: fieldsForOrigin(request, host, upgrade).flat(),
      maxHeaderSize: limits.forwardHeadBytes,
      timeout: limits.responseHeadMs,
      setHost: false,
    });
    let answer: IncomingMessage | undefined;
    const failed = (error: unknown) => {
      if (answer === undefined && !request.destroyed && !hasBody(request) && mayRepeat(attempt, error)) {
        outgoing = send();
      } else if (!answer?.complete) {
        const known = ManypathError.is(error) || attempt.socket === null;
        refuseRequest(known ? error : new OriginFailedError(error), request, response);
      }
    };
    attempt.once('response', received => {
      answer = received;
      attempt.setTimeout(limits.idleMs);
      try {
        sendBack(received, response);
      } catch (error) {
        answer = undefined;
        attempt.destroy();
        failed(error);
      }
    });
    attempt.once('continue', () => {
      if (takesInformation(request, response)) response.writeContinue();
    });
    attempt.on('information', ({ statusCode, rawHeaders }) => {
      if (statusCode === 103 && takesInformation(request, response)) sendHints(rawHeaders, response);
    });
    attempt.once('upgrade', (received, upstream: Duplex, first: Buffer) => {
      if (upgrade) {
        if (first.length > 0) upstream.unshift(first);
        switchProtocols(received, upstream, response, route.onTunnel);
      } else {
        upstream.destroy();
        failed(new Error('the origin switched protocols unasked'));
      }
    });
    attempt.once('timeout', () => attempt.destroy(responseTimeout(limits.responseHeadMs)));
    attempt.on('error', failed);
    sendBody(request, attempt);
    return attempt;
  }
}

function sendBody(request: IncomingMessage, outgoing: ClientRequest): void {
  if (!hasBody(request)) {
    outgoing.end();
    return;
  }
  // The origin may have something to say before the first piece comes.
  flushHead(outgoing);
  request.pipe(outgoing, { end: false });
  request.once('end', () => {
    if (Object.keys(request.trailers).length > 0)
      outgoing.addTrailers(fieldsOf(request.rawTrailers) as [string, string][]);
    outgoing.end();
  });
  request.once('aborted', () => outgoing.destroy());
  // An origin that has said all it wants to say may close: the rest of the body is for nobody.
  outgoing.once('close', () => request.unpipe(outgoing).resume());
}

/** @throws Error when the answer has what cannot be passed on */
function sendBack(answer: IncomingMessage, response: ServerResponse): void {
  response.sendDate = false;
  response.writeHead(
    answer.statusCode ?? 0,
    answer.statusMessage ?? '',
    endToEndHeaders(fieldsOf(answer.rawHeaders)).flat(),
  );
  // The body may be long in coming, as that of an event stream.
  flushHead(response);
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

/** HTTP/1.0 knows no 1xx; and an origin may send any number, which must not pile up for a client that does not read. */
function takesInformation(request: IncomingMessage, response: ServerResponse): boolean {
  return request.httpVersionMinor !== 0 && response.socket?.writableNeedDrain === false;
}

function sendHints(raw: readonly string[], response: ServerResponse): void {
  const links = fieldsOf(raw).filter(([name]) => name.toLowerCase() === 'link');
  if (links.length === 0) return;
  try {
    response.writeEarlyHints({ link: links.map(([, value]) => value) });
  } catch {
    // Node takes one well-formed link a field; a client can do without hints.
  }
}

/** From here on bytes are relayed as they are. */
function switchProtocols(
  answer: IncomingMessage,
  upstream: Duplex,
  response: ServerResponse,
  onTunnel: Route['onTunnel'],
): void {
  upstream.on('error', () => {});
  const client = response.socket;
  if (client === null || client.destroyed) {
    upstream.destroy();
    return;
  }
  const switching: HeaderField[] = [
    ...endToEndHeaders(fieldsOf(answer.rawHeaders)),
    ['Connection', 'Upgrade'],
    ['Upgrade', answer.headers.upgrade ?? ''],
  ];
  response.detachSocket(client);
  client.write(encodeResponseHead(101, answer.statusMessage ?? 'Switching Protocols', switching));
  onTunnel(client, upstream);
}

function responseTimeout(milliseconds: number): ProxyRefusal {
  const message = `the origin did not answer within ${milliseconds / 1000} s`;
  return new ProxyRefusal(504, 'MANYPATH_FORWARD_RESPONSE_TIMEOUT', message);
}
