import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Bytes of a stream so far. */
export interface ByteCount {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/**
 * Counts the bytes of a stream that somebody else uses. A socket counts its own; on an HTTP/2 stream, which does not,
 * its two entrances are watched.
 */
export function countBytes(stream: Duplex): ByteCount {
  if (stream instanceof Socket) return socketCount(stream);
  const count = { bytesIn: 0, bytesOut: 0 };
  const push = stream.push.bind(stream);
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    count.bytesIn += lengthOf(chunk);
    return push(chunk, encoding);
  };
  const write = stream.write.bind(stream) as (...parameters: unknown[]) => boolean;
  stream.write = (chunk: unknown, ...rest: unknown[]) => {
    count.bytesOut += lengthOf(chunk);
    return write(chunk, ...rest);
  };
  return count;
}

/** Node keeps both numbers when the socket closes. */
function socketCount(socket: Socket): ByteCount {
  return {
    get bytesIn() {
      return socket.bytesRead;
    },
    get bytesOut() {
      return socket.bytesWritten;
    },
  };
}

function lengthOf(chunk: unknown): number {
  if (typeof chunk === 'string') return Buffer.byteLength(chunk);
  return chunk instanceof Uint8Array ? chunk.length : 0;
}
