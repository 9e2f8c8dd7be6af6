import type { ClientRequest, OutgoingMessage } from 'node:http';
import { errorCode } from '@manypath/core';

/** Has a head go out before the body begins, as the bytes it came as: Node's `flushHeaders` makes UTF-8 of it. */
export function flushHead(message: OutgoingMessage): void {
  message.write(Buffer.alloc(0));
}

/** Methods that may be repeated unasked; RFC 9110 §9.2.1. */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const closedMeanwhile = new Set(['ECONNRESET', 'EPIPE']);

/**
 * Whether a request without a body may be sent once more after an error that came in place of an answer: origins close
 * idle connections just when the next request comes in; RFC 9110 §9.2.2.
 */
export function mayRepeat(request: ClientRequest, error: unknown): boolean {
  return request.reusedSocket && safe.has(request.method) && closedMeanwhile.has(errorCode(error) ?? '');
}
