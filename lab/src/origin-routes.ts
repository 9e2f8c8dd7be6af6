import { createHash } from 'node:crypto';
import type * as http from 'node:http';
import type * as http2 from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, errorMessage } from '@manypath/core';
import { reasonText, type SocketInfo } from '@manypath/mptcp';
import { page } from './origin-page.ts';
import { patternBytes, patternSha256 } from './pattern.ts';

/** HTTP/1.1 and HTTP/2 alike. */
export type OriginRequest = http.IncomingMessage | http2.Http2ServerRequest;
export type OriginResponse = http.ServerResponse | http2.Http2ServerResponse;

interface Context {
  request: OriginRequest;
  response: OriginResponse;
  url: URL;
  /** What the path had after its first part. */
  rest: string;
  transport: () => SocketInfo;
}

const routes: Record<string, (context: Context) => void | Promise<void>> = {
  '': context => sendText(context.response, 200, 'text/html; charset=utf-8', page()),
  bytes: sendPattern,
  slow: sendSlowly,
  upload: takeUpload,
  echo: sendBack,
  objects: sendObjectsPage,
  object: sendObject,
  sha256: sendHash,
  whoami: sendPeer,
};

/** Largest content served: 1 TiB. */
const largestContent = 2 ** 40;
/** Bytes handed to a response at once. */
const chunkBytes = 1024 * 1024;

/** Answers one request. */
export function handleOrigin(
  request: OriginRequest,
  response: OriginResponse,
  transport: () => SocketInfo,
): void {
  response.on('error', () => {});
  void answer(request, response, transport).catch(error => {
    if (response.headersSent) response.destroy();
    else
      sendText(
        response,
        error instanceof RefusedRequest ? 400 : 500,
        'text/plain',
        `${errorMessage(error)}\n`,
      );
  });
}

async function answer(
  request: OriginRequest,
  response: OriginResponse,
  transport: () => SocketInfo,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://origin.lab');
  const [first = '', ...rest] = url.pathname.slice(1).split('/');
  const route = Object.hasOwn(routes, first) ? routes[first] : undefined;
  if (route === undefined)
    return sendText(response, 404, 'text/plain', 'There is no such page here; see /\n');
  await route({ request, response, url, rest: rest.join('/'), transport });
}

/** A request that asks for what cannot be. */
class RefusedRequest extends Error {}

function size(text: string | null, what: string): number {
  const value = text !== null && /^\d{1,13}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= largestContent) return value;
  throw new RefusedRequest(`${what} must be a whole number up to ${largestContent}`);
}

/** RFC 9110 §14: one range of bytes. */
type Range = { start: number; end: number } | 'unsatisfiable' | undefined;

function parseRange(header: string | undefined, total: number): Range {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, total - Number(to)) : Number(from);
  const end = from === '' || to === '' ? total - 1 : Math.min(Number(to), total - 1);
  return start > end ? 'unsatisfiable' : { start, end };
}

/** GET /bytes/N: the first N bytes of the pattern, or a range of them. `?download=NAME` makes it an attachment. */
async function sendPattern({ request, response, url, rest }: Context): Promise<void> {
  const total = size(rest, '/bytes/N');
  const etag = `"pattern-${total}"`;
  const download = url.searchParams.get('download');
  const headers: http.OutgoingHttpHeaders = {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    'cache-control': 'no-store',
    'last-modified': 'Sat, 01 Jan 2022 00:00:00 GMT',
    etag,
    ...(download === null
      ? {}
      : { 'content-disposition': `attachment; filename="${download.replaceAll(/[^\w.-]/g, '_')}"` }),
  };
  // RFC 9110 §13.1.5: a range of another version is no use, so then the whole is sent.
  const condition = request.headers['if-range'];
  const applies = condition === undefined || condition === etag || condition === headers['last-modified'];
  const range = applies ? parseRange(request.headers.range, total) : undefined;
  if (range === 'unsatisfiable') {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${total}` });
    response.end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: total - 1 };
  response.writeHead(range === undefined ? 200 : 206, {
    ...headers,
    'content-length': end - start + 1,
    ...(range === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${total}` }),
  });
  if (request.method === 'HEAD') response.end();
  else await writePattern(response, start, end + 1);
}

async function writePattern(response: OriginResponse, start: number, end: number): Promise<void> {
  for (let offset = start; offset < end; offset += chunkBytes) {
    if (response.destroyed) return;
    await write(response, patternBytes(offset, Math.min(chunkBytes, end - offset)));
  }
  response.end();
}

/** Writes, and waits while the client is behind. */
async function write(response: OriginResponse, chunk: Buffer): Promise<void> {
  // The two kinds of response have the same `write`, but TypeScript cannot call a union of overloads.
  if ((response as http.ServerResponse).write(chunk)) return;
  await new Promise<void>(resolve => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

/** GET /slow?bytes=N&ms=T: the first N bytes of the pattern, spread evenly over T milliseconds; `&page` calls them a page. */
async function sendSlowly({ response, url }: Context): Promise<void> {
  const bytes = size(url.searchParams.get('bytes') ?? '1000', 'bytes');
  const ms = Math.min(size(url.searchParams.get('ms') ?? '1000', 'ms'), 600_000);
  response.writeHead(200, {
    'content-type': url.searchParams.has('page') ? 'text/html' : 'application/octet-stream',
    'content-length': bytes,
    'cache-control': 'no-store',
  });
  const steps = Math.max(1, Math.min(bytes, Math.ceil(ms / 20)));
  const start = performance.now();
  for (let step = 0, sent = 0; step < steps && !response.destroyed; step++) {
    await sleep(Math.max(0, start + ((step + 1) * ms) / steps - performance.now()));
    const upTo = Math.floor(((step + 1) * bytes) / steps);
    await writeAll(response, sent, upTo);
    sent = upTo;
  }
  response.end();
}

async function writeAll(response: OriginResponse, start: number, end: number): Promise<void> {
  for (let offset = start; offset < end && !response.destroyed; offset += chunkBytes) {
    await write(response, patternBytes(offset, Math.min(chunkBytes, end - offset)));
  }
}

/** POST /upload: how much came, and its SHA-256. */
async function takeUpload({ request, response }: Context): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  sendJson(response, { bytes, sha256: hash.digest('hex') });
}

/** /echo: the body as it comes; without one, the request as the origin saw it. */
async function sendBack({ request, response }: Context): Promise<void> {
  if (request.method === 'GET' || request.method === 'HEAD') {
    const { method, url, httpVersion, headers } = request;
    return sendJson(response, { method, url, httpVersion, headers });
  }
  const length = request.headers['content-length'];
  response.writeHead(200, {
    'content-type': request.headers['content-type'] ?? 'application/octet-stream',
    ...(length === undefined ? {} : { 'content-length': length }),
  });
  for await (const chunk of request as AsyncIterable<Buffer>) await write(response, chunk);
  response.end();
}

/** GET /objects/N?bytes=B: a page with N images of B bytes. Its title says when all are there. */
function sendObjectsPage({ response, url, rest }: Context): void {
  const count = Math.min(size(rest === '' ? '20' : rest, '/objects/N'), 2000);
  const bytes = size(url.searchParams.get('bytes') ?? '2000', 'bytes');
  const images = Array.from(
    { length: count },
    (_, n) => `<img src="/object/${n}?bytes=${bytes}" alt="${n}">`,
  );
  const script = `addEventListener('load', () => { document.title = 'loaded ${count}'; });`;
  const body = `<!doctype html><title>loading</title><script>${script}</script>\n${images.join('\n')}\n`;
  sendText(response, 200, 'text/html; charset=utf-8', body);
}

/** GET /object/N?bytes=B: an image of B bytes. */
function sendObject({ response, url, rest }: Context): void {
  const number = size(rest, '/object/N');
  const bytes = Math.min(size(url.searchParams.get('bytes') ?? '2000', 'bytes'), 16 * 1024 * 1024);
  const hue = (number * 47) % 360;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><rect width="24" height="24" fill="hsl(${hue} 60% 50%)"/><!--`;
  const tail = '--></svg>';
  const filling = '.'.repeat(Math.max(0, bytes - head.length - tail.length));
  sendText(response, 200, 'image/svg+xml', `${head}${filling}${tail}`);
}

/** GET /sha256/N: what the SHA-256 of /bytes/N is. */
function sendHash({ response, rest }: Context): void {
  sendText(response, 200, 'text/plain', `${patternSha256(Math.min(size(rest, '/sha256/N'), 2 ** 32))}\n`);
}

/** GET /whoami: how the origin sees this connection. */
function sendPeer({ request, response, transport }: Context): void {
  const { remoteAddress, remotePort, localPort } = request.socket;
  const seen = transport();
  sendJson(response, {
    address: remoteAddress?.replace(/^::ffff:/, ''),
    port: remotePort,
    localPort,
    http: request.httpVersion,
    tls: 'encrypted' in request.socket,
    multipath: seen.multipath,
    reason: reasonText(seen.reason),
    subflows: seen.subflows,
  });
}

function sendJson(response: OriginResponse, value: unknown): void {
  sendText(response, 200, 'application/json', `${JSON.stringify(value)}\n`);
}

function sendText(response: OriginResponse, status: number, type: string, body: string): void {
  const headers = {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  };
  try {
    response.writeHead(status, headers);
    response.end(body);
  } catch (error) {
    // The client left before it was answered.
    if (errorCode(error) !== 'ERR_HTTP2_INVALID_STREAM') throw error;
  }
}
