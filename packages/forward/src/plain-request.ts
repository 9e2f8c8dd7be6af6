import {
  type Authority,
  encodeRequestHead,
  endToEndHeaders,
  type HeaderField,
  headerValue,
} from '@manypath/core';

/** A plain HTTP request that is to be passed on, however it came. */
export interface PlainRequest {
  readonly method: string;
  /** Where to dial. */
  readonly target: Authority;
  /** What the origin is to see as the target: path and query, or `*`. */
  readonly path: string;
  /** The Host that the origin is to see: the target's, whatever the client sent; RFC 9112 §3.2.2. */
  readonly host: string;
  /** The fields as they came. */
  readonly headers: readonly HeaderField[];
  /** How long its body is. */
  readonly length: number | 'chunked';
  /** The protocol that the client asks to go on with, RFC 9110 §7.8; `undefined` where it does not, or cannot. */
  readonly upgrade: string | undefined;
}

/** Methods whose requests say nothing about a body that they do not have; RFC 9110 §8.6. */
const bodyless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/** Methods that may be repeated unasked when nobody knows whether the first request arrived; RFC 9110 §9.2.2. */
const idempotent = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

export function isIdempotent({ method }: PlainRequest): boolean {
  return idempotent.has(method);
}

/** Whether it proves to the origin who sends it in a way that holds for the connection: NTLM and Negotiate, RFC 4559 §6. */
export function provesConnection({ headers }: PlainRequest): boolean {
  return /^(?:ntlm|negotiate)\b/i.test(headerValue(headers, 'authorization') ?? '');
}

/**
 * The head that the origin gets.
 *
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`
 */
export function headForOrigin(request: PlainRequest): Uint8Array {
  const { method, path, host, headers, length, upgrade } = request;
  const passed = endToEndHeaders(headers).filter(([name]) => name.toLowerCase() !== 'host');
  const isLength = ([name]: HeaderField) => name.toLowerCase() === 'content-length';
  const at = passed.findIndex(isLength);
  // The same length may have been given more than once.
  const fields = passed.filter((field, index) => !isLength(field) || (index === at && length !== 'chunked'));
  const framing: HeaderField[] = [];
  if (length === 'chunked') framing.push(['Transfer-Encoding', 'chunked']);
  else if (at !== -1) fields[at] = [passed[at]?.[0] ?? 'Content-Length', String(length)];
  else if (length > 0 || !bodyless.has(method)) framing.push(['Content-Length', String(length)]);
  const hop: HeaderField[] =
    upgrade === undefined
      ? [['Connection', 'keep-alive']]
      : [
          ['Connection', 'Upgrade'],
          ['Upgrade', upgrade],
        ];
  return encodeRequestHead(method, path, [['Host', host], ...fields, ...framing, ...hop]);
}
