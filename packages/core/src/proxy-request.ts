import { type Authority, parseAuthority } from './authority.ts';
import { ManypathError } from './errors.ts';
import type { HttpRequestHead } from './http-head.ts';

/** What a client of an HTTP proxy wants; RFC 9112 §3.2. */
export type ProxyRequest =
  /** A tunnel: authority-form, RFC 9110 §9.3.6. Bytes behind the head are the tunnel's. */
  | { readonly kind: 'connect'; readonly authority: Authority }
  /** A plain HTTP request to be passed on: absolute-form. */
  | {
      readonly kind: 'forward';
      readonly authority: Authority;
      /** The target to send to the origin: its path and query, or `*`. */
      readonly path: string;
      /** The Host to send to the origin, in place of what the client sent; RFC 9112 §3.2.2. */
      readonly host: string;
    }
  /** A request to the proxy itself, as if it were a web server: origin-form, or `*`. */
  | { readonly kind: 'origin-form'; readonly path: string };

/** A well-formed request that no proxy can serve. */
export class ProxyRequestError extends ManypathError {
  /** What to answer. */
  readonly status = 400;

  constructor(reason: string, options: { hint?: string; cause?: unknown } = {}) {
    super('MANYPATH_PROXY_REQUEST_INVALID', `bad proxy request: ${reason}`, options);
  }
}

const httpPort = 80;

/**
 * Tells what a request to a proxy asks for.
 *
 * Host must be there in HTTP/1.1 and not twice (RFC 9112 §3.2), except that CONNECT may lack it: its target says it all,
 * and there are clients that leave it out.
 *
 * @throws ProxyRequestError `MANYPATH_PROXY_REQUEST_INVALID`, to be answered 400
 */
export function classifyProxyRequest(
  head: Pick<HttpRequestHead, 'method' | 'target' | 'version' | 'headers'>,
): ProxyRequest {
  checkHost(head);
  const { method, target } = head;
  if (method === 'CONNECT') return { kind: 'connect', authority: authorityOf(target) };
  if (target.startsWith('/') || target === '*') return { kind: 'origin-form', path: target };
  return forwardRequest(method, target);
}

function forwardRequest(method: string, target: string): ProxyRequest {
  // A fragment is for the client alone, and some send it: RFC 9110 §4.2.5.
  const match = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^#]*)/.exec(target);
  if (match === null) throw new ProxyRequestError('its target is no URL in full');
  const [, scheme = '', place = '', pathAndQuery = ''] = match;
  // A WebSocket is opened with the same request: RFC 6455 §4.1, and some clients name their own scheme.
  if (!['http', 'ws'].includes(scheme.toLowerCase())) {
    throw new ProxyRequestError('its target is no http:// URL', {
      hint: `ask for ${scheme.toLowerCase()}:// with CONNECT`,
    });
  }
  const host = withoutUser(place);
  return {
    kind: 'forward',
    authority: authorityOf(host, httpPort),
    path: originTarget(method, pathAndQuery),
    host,
  };
}

/** RFC 9112 §3.2.1; for the server as a whole §3.2.4. */
function originTarget(method: string, pathAndQuery: string): string {
  if (pathAndQuery === '') return method === 'OPTIONS' ? '*' : '/';
  return pathAndQuery.startsWith('/') ? pathAndQuery : `/${pathAndQuery}`;
}

/** RFC 3986 §3.2.1. Others are refused: browsers end the host at a backslash, say, and would go elsewhere. */
const userInformation = /^[A-Za-z0-9._~!$&'()*+,;=:%-]*$/;

/** User names in http:// URLs are obsolete and never sent on; RFC 9110 §4.2.4. */
function withoutUser(place: string): string {
  const at = place.lastIndexOf('@');
  if (at !== -1 && !userInformation.test(place.slice(0, at))) {
    throw new ProxyRequestError('its target has a user name that no URL has');
  }
  return place.slice(at + 1);
}

function authorityOf(text: string, defaultPort?: number): Authority {
  let authority: Authority;
  try {
    authority = parseAuthority(text, defaultPort);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ProxyRequestError(reason, { cause });
  }
  if (authority.port === 0) throw new ProxyRequestError('nothing can be reached at port 0');
  return authority;
}

function checkHost({ method, version, headers }: Pick<HttpRequestHead, 'method' | 'version' | 'headers'>) {
  const hosts = headers.filter(([name]) => name.toLowerCase() === 'host');
  if (hosts.length > 1) throw new ProxyRequestError('it has more than one Host field');
  if (hosts.length === 0 && version === '1.1' && method !== 'CONNECT') {
    throw new ProxyRequestError('it has no Host field');
  }
}
