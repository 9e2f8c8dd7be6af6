import type { HttpBodyLength } from './http-body.ts';
import { type HeaderField, headerValue, listedValues, trimBlanks } from './http-fields.ts';
import type { HttpRequestHead, HttpResponseHead } from './http-head.ts';
import { HttpHeadError } from './http-head-error.ts';
import { connectionOptions } from './http-headers.ts';

/**
 * How long the body of a request is; RFC 9112 §6. Strict, because two readers that disagree here take different bytes for the next
 * request. The same length given twice is one length.
 *
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID` (400; 501 for a transfer coding besides chunked)
 */
export function requestBodyLength({
  version,
  headers,
}: Pick<HttpRequestHead, 'version' | 'headers'>): number | 'chunked' {
  const lengths = rawValues(headers, 'content-length');
  const codings = rawValues(headers, 'transfer-encoding');
  if (codings.length > 0) {
    if (lengths.length > 0) throw new HttpHeadError(400, 'it has a length and a transfer coding');
    if (version === '1.0') throw new HttpHeadError(400, 'HTTP/1.0 has no transfer codings');
    return checkCodings(codings);
  }
  if (lengths.length === 0) return 0;
  const [first, ...others] = lengths.flatMap(value => value.split(',')).map(trimBlanks);
  if (first === undefined || !/^\d+$/.test(first) || others.some(other => other !== first))
    throw new HttpHeadError(400, 'the length of its body is no number, or more than one');
  const length = Number(first);
  if (!Number.isSafeInteger(length)) throw new HttpHeadError(400, 'its body is longer than any');
  return length;
}

function checkCodings(codings: readonly string[]): 'chunked' {
  const names = codings.flatMap(value => value.split(',')).map(part => trimBlanks(part).toLowerCase());
  if (names.at(-1) !== 'chunked') throw new HttpHeadError(400, 'chunked is not its last transfer coding');
  // Chunks are taken off and put on again; what else was done to a body would be lost on the origin; RFC 9112 §6.1.
  if (names.length > 1) throw new HttpHeadError(501, 'its body has a transfer coding besides chunked');
  return 'chunked';
}

function rawValues(headers: readonly HeaderField[], name: string): string[] {
  return headers.filter(([field]) => field.toLowerCase() === name).map(([, value]) => value);
}

/** How the body of an answer ends, and what its head should have said. */
export interface ResponseFraming {
  readonly length: HttpBodyLength;
  /** Transfer codings under the chunks, which are passed on as they are. */
  readonly codings: readonly string[];
  /** The fields, with a Content-Length only where there is one for every reader, and without Transfer-Encoding. */
  readonly headers: readonly HeaderField[];
  /** Whether every reader would have come to this. */
  readonly tidy: boolean;
}

/** Answers without a body, whatever their fields say; RFC 9110 §6.4.1 and, for 205, §15.3.6. */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 205 || status === 304;
}

/** Transfer codings that somebody may be able to take off; others are hardly meant. */
const knownCodings = new Set(['br', 'compress', 'deflate', 'gzip', 'x-compress', 'x-gzip', 'zstd']);

/**
 * How an answer is framed; RFC 9112 §6.3, and where servers break it as browsers read it: chunked wins over a length, a length that
 * is no number is none, `identity` says nothing.
 *
 * @param method Of the request that it answers.
 * @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, there are two lengths
 */
export function responseFraming(method: string, head: HttpResponseHead): ResponseFraming {
  const codings = listedValues(head.headers, 'transfer-encoding').map(coding => coding.toLowerCase());
  const lengths = rawValues(head.headers, 'content-length').flatMap(value => value.split(','));
  const others = head.headers.filter(([name]) => name.toLowerCase() !== 'transfer-encoding');
  const chunked = codings.includes('chunked');
  if (isBodiless(method, head.status)) {
    const kept = head.status === 304 || (method === 'HEAD' && head.status >= 200) ? lengths : [];
    const announced = chunked ? undefined : saidLength(kept);
    const headers = withLength(others, head.status === 205 ? 0 : announced);
    const tidy = codings.length === 0 && (head.status === 304 || method === 'HEAD' || lengths.length === 0);
    return { length: 0, codings: [], headers, tidy: tidy || method === 'HEAD' };
  }
  const known = codings.filter(coding => knownCodings.has(coding));
  if (chunked) {
    const tidy = codings.length === 1 && lengths.length === 0 && head.version === '1.1';
    return { length: 'chunked', codings: known, headers: withLength(others, undefined), tidy };
  }
  const said = saidLength(lengths);
  const length = known.length > 0 ? undefined : said;
  return {
    length: length ?? 'until-close',
    codings: known,
    headers: withLength(others, length),
    tidy: codings.length === 0 && lengths.length < 2,
  };
}

/** @throws HttpHeadError `MANYPATH_HTTP_HEAD_INVALID`, two readers could take different ones */
function saidLength(lengths: readonly string[]): number | undefined {
  const said = lengths.map(trimBlanks);
  const numbers = said.map(text => (/^\d+$/.test(text) ? Number(text) : Number.NaN));
  const [first] = numbers;
  const agree = numbers.every(number => number === first) || new Set(said).size === 1;
  if (!agree) throw new HttpHeadError(400, 'it has two lengths');
  return first !== undefined && Number.isSafeInteger(first) ? first : undefined;
}

/** Fields with one Content-Length at the place of the first, or none. */
function withLength(headers: readonly HeaderField[], length: number | undefined): HeaderField[] {
  const isLength = ([name]: HeaderField) => name.toLowerCase() === 'content-length';
  const rest = headers.filter(field => !isLength(field));
  if (length === undefined) return rest;
  const field: HeaderField = [headers.find(isLength)?.[0] ?? 'Content-Length', String(length)];
  const at = headers.findIndex(isLength);
  return at === -1 ? [...rest, field] : [...rest.slice(0, at), field, ...rest.slice(at)];
}

/** Whether the sender of a head keeps its connection for more; RFC 9112 §9.3. */
export function keepsAlive({ version, headers }: Pick<HttpResponseHead, 'version' | 'headers'>): boolean {
  const options = connectionOptions(headers);
  if (options.includes('close')) return false;
  return version === '1.1' || options.includes('keep-alive');
}

/** The same of a client, which may say it to a proxy in the field that browsers had for that. */
export function clientKeepsAlive(head: Pick<HttpRequestHead, 'version' | 'headers'>): boolean {
  const toProxy = headerValue(head.headers, 'proxy-connection')?.toLowerCase() ?? '';
  if (head.version === '1.1') return keepsAlive(head) && toProxy !== 'close';
  return keepsAlive(head) || toProxy === 'keep-alive';
}
