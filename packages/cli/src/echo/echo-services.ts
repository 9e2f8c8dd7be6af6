import { createHash } from 'node:crypto';
import type { Readable, Writable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What the echo server does with a connection. */
export type EchoService = 'echo' | 'upper' | 'sink' | 'source';

export const echoServices: readonly EchoService[] = ['echo', 'upper', 'sink', 'source'];

/** Bytes that `source` sends at most for one request. */
const mostSourceBytes = 2 ** 40;
const patternBytes = 65_536;

/** Serves one connection until both directions have ended. Rejects when it breaks. */
export function serveEcho(service: EchoService, input: Readable, output: Writable): Promise<void> {
  switch (service) {
    case 'echo':
      return pipeline(input, output);
    case 'upper':
      return pipeline(input, new Transform({ transform: upper }), output);
    case 'sink':
      return digest(input, output);
    case 'source':
      return generate(input, output);
  }
}

/** ASCII only: a character may come in two pieces. */
function upper(chunk: Buffer, _: BufferEncoding, done: (error: null, data: Buffer) => void): void {
  const raised = Buffer.from(chunk);
  for (const [at, byte] of raised.entries()) if (byte >= 0x61 && byte <= 0x7a) raised[at] = byte - 0x20;
  done(null, raised);
}

/** Takes everything; at the end, tells how much it was, and its SHA-256. */
async function digest(input: Readable, output: Writable): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunksOf(input)) {
    bytes += chunk.length;
    hash.update(chunk);
  }
  output.end(`${bytes} ${hash.digest('hex')}\n`);
}

/** What comes. A connection whose input has ended is still to be written to. */
function chunksOf(input: Readable): AsyncIterable<Buffer> {
  return input.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** Sends as many bytes as the first line asks for: 0, 1, … 255, and so on. */
async function generate(input: Readable, output: Writable): Promise<void> {
  let line = '';
  for await (const chunk of chunksOf(input)) {
    line += chunk.toString('latin1');
    if (line.includes('\n') || line.length > 32) break;
  }
  input.resume();
  await pipeline(patternOf(Number.parseInt(line, 10) || 0), output);
}

function* patternOf(bytes: number): Generator<Buffer> {
  const wanted = Math.min(bytes, mostSourceBytes);
  const pattern = Buffer.from(Uint8Array.from({ length: patternBytes }, (_, at) => at & 0xff));
  for (let left = wanted; left > 0; left -= patternBytes)
    yield pattern.subarray(0, Math.min(left, patternBytes));
}
