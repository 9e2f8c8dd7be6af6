import type { Duplex } from 'node:stream';

type WriteCallback = (error?: Error | null) => void;

/**
 * Makes a stream turn strings into bytes before it takes them.
 *
 * An HTTP/2 stream of Node (20 at least) that is written to while it is corked keeps strings in memory that is freed
 * before they are sent: garbage goes out in their place. `node:http` writes request heads just so.
 */
export function buffersOnly<S extends Duplex>(stream: S): S {
  const write = stream.write.bind(stream) as (chunk: unknown, ...rest: unknown[]) => boolean;
  stream.write = (chunk: unknown, encoding?: BufferEncoding | WriteCallback, callback?: WriteCallback) => {
    if (typeof chunk !== 'string') return write(chunk, encoding, callback);
    const bytes = Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8');
    return write(bytes, typeof encoding === 'function' ? encoding : callback);
  };
  return stream;
}
