import { constants as http2, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { rateServicePath } from '@manypath/core';
import { ArrivalMeter } from '@manypath/forward';
import type { RelayLimits } from './limits.ts';

/** Whether a request is for the relay itself: how fast is a path between the two of us? */
export function asksForRate(headers: IncomingHttpHeaders): boolean {
  return headers[':scheme'] === 'https' && (headers[':path'] ?? '').split('?')[0] === rateServicePath;
}

/**
 * Lets a paired gateway measure a path: `GET …?bytes=N` sends that many bytes, `POST` takes some and answers `{"mbps":…}`, the
 * rate at which they arrived, or `null` for too few.
 */
export function serveRate(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  socket: Socket,
  limits: Pick<RelayLimits, 'rateProbeBytes'>,
): void {
  if (headers[':method'] === 'POST') takeBytes(stream, socket, limits.rateProbeBytes);
  else sendBytes(stream, Math.min(wantedBytes(headers), limits.rateProbeBytes));
}

function wantedBytes(headers: IncomingHttpHeaders): number {
  const wanted = Number(new URLSearchParams((headers[':path'] ?? '').split('?')[1]).get('bytes'));
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : 0;
}

function sendBytes(stream: ServerHttp2Stream, bytes: number): void {
  stream.respond({
    ':status': 200,
    'content-type': 'application/octet-stream',
    'content-length': bytes,
    'cache-control': 'no-store',
  });
  sendPiece(stream, bytes);
}

/** The same for all: whatever one client asks for, the next piece is taken when the last one has left. */
const piece = Buffer.alloc(16_384);

function sendPiece(stream: ServerHttp2Stream, left: number): void {
  if (stream.destroyed || stream.closed) return;
  if (left <= piece.length) stream.end(piece.subarray(0, left));
  else stream.write(piece, () => sendPiece(stream, left - piece.length));
}

function takeBytes(stream: ServerHttp2Stream, socket: Socket, most: number): void {
  const meter = new ArrivalMeter(socket);
  let taken = 0;
  stream.on('data', (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > most) stream.close(http2.NGHTTP2_ENHANCE_YOUR_CALM);
  });
  stream.once('close', () => meter.stop());
  stream.once('end', () => {
    if (stream.destroyed || stream.closed) return;
    stream.respond({ ':status': 200, 'content-type': 'application/json', 'cache-control': 'no-store' });
    stream.end(JSON.stringify({ mbps: meter.stop() ?? null }));
  });
}
