import { type ClientHttp2Stream, constants } from 'node:http2';
import type { DecoupledSocket } from './decoupled-socket.ts';

type WriteCallback = (error?: Error | null) => void;
type Part = { chunk: Buffer | string; encoding: BufferEncoding };

/** Makes a stream of a lane fit for tunnels: goes around three faults of Node's HTTP/2 (seen in Node 20). */
export function tamed(stream: ClientHttp2Stream, socket: DecoupledSocket): ClientHttp2Stream {
  return withHonestClose(withOwnWrites(stream, socket));
}

/**
 * Writes are over when the socket has room again: its own back-pressure is taken from it (see {@link DecoupledSocket}).
 *
 * And strings are made bytes before: those that are written together (`cork`, as `node:http` does with request heads) lie
 * in memory that is freed before they are sent, and garbage goes out in their place.
 */
function withOwnWrites(stream: ClientHttp2Stream, socket: DecoupledSocket): ClientHttp2Stream {
  const write = stream._write.bind(stream);
  const writev = stream._writev?.bind(stream);
  const whenSent = (callback: WriteCallback): WriteCallback => {
    return error => socket.whenRoom(() => callback(error));
  };
  stream._write = (chunk: Buffer | string, encoding: BufferEncoding, callback: WriteCallback) => {
    write(bytesOf({ chunk, encoding }), 'buffer' as BufferEncoding, whenSent(callback));
  };
  stream._writev = (parts: Part[], callback: WriteCallback) => {
    if (writev !== undefined && parts.every(({ chunk }) => typeof chunk !== 'string')) {
      writev(parts, whenSent(callback));
    } else {
      write(Buffer.concat(parts.map(bytesOf)), 'buffer' as BufferEncoding, whenSent(callback));
    }
  };
  return stream;
}

function bytesOf({ chunk, encoding }: Part): Buffer {
  return typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
}

/**
 * `close` with an error code ends the stream first: END_STREAM goes out before RST_STREAM, and what was broken off looks
 * complete to the other side. Without a final step there is no END_STREAM.
 */
function withHonestClose(stream: ClientHttp2Stream): ClientHttp2Stream {
  const close = stream.close.bind(stream);
  stream.close = (code = constants.NGHTTP2_NO_ERROR, callback?: () => void) => {
    if (code !== constants.NGHTTP2_NO_ERROR) stream._final = done => done();
    close(code, callback);
  };
  return stream;
}

/**
 * Keeps what arrives on a stream from its reader: bytes of an answer can come up before the answer's status does.
 *
 * @returns What hands over all that was kept, and lets the rest through.
 */
export function held(stream: ClientHttp2Stream): () => void {
  const push = stream.push.bind(stream);
  const kept: [chunk: unknown, encoding: BufferEncoding | undefined][] = [];
  let open = false;
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (open) return push(chunk, encoding);
    kept.push([chunk, encoding]);
    return true;
  };
  return () => {
    open = true;
    for (const [chunk, encoding] of kept.splice(0)) push(chunk, encoding);
  };
}
