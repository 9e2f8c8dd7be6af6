import type { IncomingHttpHeaders } from 'node:http2';
import { type Authority, parseAuthority } from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';

/** Only http:// requests are forwarded as they are (400 `MANYPATH_RELAY_NOT_PLAIN`). */
export class NotPlainError extends ProxyRefusal {
  constructor(message: string) {
    super(400, 'MANYPATH_RELAY_NOT_PLAIN', message, {
      hint: 'use CONNECT for https:// and everything else but http://',
    });
  }
}

/**
 * Where a plain request of HTTP/2 goes (`:scheme http`, RFC 9113 §8.3.1).
 *
 * @throws NotPlainError `MANYPATH_RELAY_NOT_PLAIN`
 * @throws AuthorityInvalidError `MANYPATH_AUTHORITY_INVALID`
 */
export function plainRoute(headers: IncomingHttpHeaders): { target: Authority; path: string; host: string } {
  if (headers[':scheme'] !== 'http')
    throw new NotPlainError('only http:// requests are forwarded as they are');
  const path = String(headers[':path'] ?? '');
  if (!path.startsWith('/') && path !== '*') throw new NotPlainError('the path of the request is malformed');
  const host = String(headers[':authority'] ?? headers.host ?? '');
  return { target: parseAuthority(host, 80), path, host };
}
