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
  sendPieces(stream, bytes);
}

/** The same bytes for all. */
const piece = Buffer.alloc(65_536);
/**
 * Pieces of one measurement that are under way within this process. The kernel is to have enough of them for as long as the next turn of a
 * busy relay takes: what it has to wait for would be taken for a slow path, and what comes after that for a very fast one.
 */
const piecesAhead = 4;

function sendPieces(stream: ServerHttp2Stream, bytes: number): void {
  let left = bytes;
  const sendPiece = (): void => {
    if (stream.destroyed || stream.closed || stream.writableEnded) return;
    const next = piece.subarray(0, left);
    left -= next.length;
    if (left === 0) stream.end(next);
    else stream.write(next, sendPiece);
  };
  for (let ahead = 0; ahead < piecesAhead; ahead++) sendPiece();
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
