import { type ClientHttp2Stream, constants } from 'node:http2';

type WriteCallback = (error?: Error | null) => void;

/** Goes around two faults of Node's HTTP/2 streams (seen in Node 20) that would put wrong bytes into tunnels. */
export function tamed(stream: ClientHttp2Stream): ClientHttp2Stream {
  return withHonestClose(withBytesOnly(stream));
}

/**
 * A stream that is written to while it is corked keeps strings in memory that is freed before they are sent: garbage
 * goes out in their place. `node:http` writes request heads just so. Bytes are kept as they should be.
 */
function withBytesOnly(stream: ClientHttp2Stream): ClientHttp2Stream {
  const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
  stream.write = (chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback) => {
    if (typeof chunk !== 'string') return write(chunk, encoding, callback);
    const bytes = Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8');
    return write(bytes, typeof encoding === 'function' ? encoding : callback);
  };
  return stream;
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
