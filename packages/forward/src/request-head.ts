import type { IncomingMessage } from 'node:http';
import {
  connectionOptions,
  coreLimits,
  encodeRequestHead,
  endToEndHeaders,
  type HeaderField,
  type HttpRequestHead,
} from '@manypath/core';
import { ProxyRefusal } from './proxy-error.ts';

/** The head of a request that Node has parsed. */
export function headOf(request: IncomingMessage): HttpRequestHead {
  const { method = 'GET', url: target = '', rawHeaders } = request;
  return {
    method,
    target,
    version: request.httpVersionMinor === 0 ? '1.0' : '1.1',
    headers: fieldsOf(rawHeaders),
  };
}

/** Names and values, as Node lists them one after the other. */
export function fieldsOf(raw: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) fields.push([raw[at] ?? '', raw[at + 1] ?? '']);
  return fields;
}

/** Whether a body follows the head; RFC 9112 §6. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && Number(length) !== 0);
}

/** Whether the client asks to go on with another protocol; RFC 9110 §7.8. */
export function asksToUpgrade(request: IncomingMessage): boolean {
  const { upgrade } = request.headers;
  return upgrade !== undefined && connectionOptions(fieldsOf(request.rawHeaders)).includes('upgrade');
}

/**
 * The bounds of the first head of a connection hold for the others too. A body is passed on in chunks, and what else was
 * done to it would be lost on the origin; RFC 9112 §6.1.
 *
 * @throws ProxyRefusal `MANYPATH_FORWARD_BAD_REQUEST` (414, 431, 501)
 */
export function checkHead({ url = '', rawHeaders, headers }: IncomingMessage): void {
  if (url.length > coreLimits.httpTargetBytes) throw badRequest(414, 'the target is too long');
  if (rawHeaders.length / 2 > coreLimits.httpHeaderCount)
    throw badRequest(431, 'there are too many header fields');
  const coding = headers['transfer-encoding'] ?? 'chunked';
  if (coding.toLowerCase() !== 'chunked')
    throw badRequest(501, 'the body has a transfer coding besides chunked');
}

export function badRequest(status: number, message: string, cause?: unknown): ProxyRefusal {
  return new ProxyRefusal(status, 'MANYPATH_FORWARD_BAD_REQUEST', message, { cause });
}

/** The fields to send to the origin. @param host The target's; a client may have sent another, RFC 9112 §3.2.2. */
export function fieldsForOrigin(request: IncomingMessage, host: string, upgrade: boolean): HeaderField[] {
  const headers = endToEndHeaders(fieldsOf(request.rawHeaders));
  const passed: HeaderField[] = [
    ['Host', host],
    ...headers.filter(([name]) => name.toLowerCase() !== 'host'),
  ];
  const { 'transfer-encoding': coding, 'content-length': length } = request.headers;
  if (coding !== undefined) passed.push(['Transfer-Encoding', 'chunked']);
  else if (length === undefined && !bodyless.has(request.method ?? '')) passed.push(['Content-Length', '0']);
  if (upgrade) passed.push(['Connection', 'Upgrade'], ['Upgrade', request.headers.upgrade ?? '']);
  else passed.push(['Connection', 'keep-alive']);
  return passed;
}

/** Methods whose requests say nothing about a body that they do not have; RFC 9110 §8.6. */
const bodyless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']);

/** The head of a request as if it did not ask to upgrade, which a server may ignore; RFC 9110 §7.8. */
export function headWithoutUpgrade(request: IncomingMessage): Uint8Array {
  const { method, target, version, headers } = headOf(request);
  const options = connectionOptions(headers).filter(option => option !== 'upgrade');
  const kept = headers.filter(([name]) => !['connection', 'upgrade'].includes(name.toLowerCase()));
  return encodeRequestHead(method, target, [...kept, ['Connection', options.join(', ')]], version);
}
