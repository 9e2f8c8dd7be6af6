import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { encodeResponseHead } from '@manypath/core';
import { errorResponse } from './proxy-error.ts';

/** How long a client may go on sending after the last answer, in milliseconds. */
const lingerMs = 2000;

/** Tells the client that its tunnel is open; RFC 9110 §9.3.6. */
export function acceptTunnel(socket: Duplex): void {
  socket.write(encodeResponseHead(200, 'Connection established'));
}

/** Tells the client why there is no tunnel, and closes. */
export function refuseTunnel(socket: Duplex, error: unknown, accept?: string): void {
  if (socket.destroyed || socket.writableEnded) return;
  const { status, reason, headers, body } = errorResponse(error, accept);
  socket.write(encodeResponseHead(status, reason, [...headers, ['Connection', 'close']]));
  socket.write(body);
  endGently(socket);
}

/** Ends a connection after its last answer. What still comes is dropped, since a reset would take the answer with it. */
export function endGently(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  socket.end();
  socket.resume();
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

/** After these the connection is closed: who knows where the next request begins. */
const notUnderstood = new Set([400, 414, 431, 501]);

/** Answers a request with an error, or breaks off when another answer has begun. */
export function refuseRequest(error: unknown, request: IncomingMessage, response: ServerResponse): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, reason, headers, body } = errorResponse(error, request.headers.accept);
  if (notUnderstood.has(status)) response.shouldKeepAlive = false;
  response.writeHead(status, reason, headers.flat());
  response.end(request.method === 'HEAD' ? undefined : body);
  // The rest of a body that nobody wants is read, so that the connection can be used again.
  request.resume();
}
