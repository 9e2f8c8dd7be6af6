import { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { errorCode } from '@manypath/core';
import { duplicateSocket } from '@manypath/mptcp';
import type { ForwardLimits } from './limits.ts';

/**
 * Takes a chunk that was read.
 *
 * @returns Whether more may follow at once; after `false` nothing is read until {@link ReadableLeg.resume}.
 */
export type ChunkSink = (chunk: Buffer) => boolean;

/** One side of a relayed connection, read by pushing chunks into a sink. */
export interface ReadableLeg<Stream extends Readable = Duplex> {
  /** What to write to, and whose events tell the end. */
  readonly stream: Stream;
  /** The same where it is a plain socket: its bytes are those of the kernel. */
  readonly socket: Socket | undefined;
  /** Whether chunks lie in a buffer that is read into again. */
  readonly reusesBuffer: boolean;
  /** Begins to read. A chunk is only valid until the sink has returned `true`, or until {@link resume} is called. */
  start(sink: ChunkSink): void;
  resume(): void;
  /** How many bytes, read before the relay began, have not gone into the sink yet. */
  unread(): number;
}

/**
 * Makes a leg readable in the cheapest way it allows.
 *
 * A plain socket, TCP or MPTCP, is read into static buffers, which costs about half the CPU of Node's streams; TLS
 * and HTTP/2 streams decode into buffers of their own, so their `data` events are as cheap as it gets.
 */
export function readableLeg(stream: Duplex, limits: ForwardLimits): ReadableLeg {
  if (!isPlainSocket(stream)) return streamLeg(stream);
  try {
    return staticBufferLeg(stream, limits);
  } catch (error) {
    // It works as a stream too: where the kernel cannot be called, and while something still waits to be written.
    if (!streamable.has(errorCode(error) ?? '')) stream.destroy();
    return streamLeg(stream);
  }
}

const streamable = new Set(['MPTCP_UNSUPPORTED', 'MPTCP_SOCKET_BUSY']);

function isPlainSocket(stream: Duplex): stream is Socket {
  return stream instanceof Socket && !(stream instanceof TLSSocket);
}

function staticBufferLeg(accepted: Socket, limits: ForwardLimits): ReadableLeg {
  let sink: ChunkSink = () => false;
  let buffer = Buffer.allocUnsafeSlow(limits.smallBufferBytes);
  let read = 0;
  const readBefore = accepted.readableLength;
  const resume = () => {
    if (!stream.destroyed) stream.resume();
  };
  const stream = duplicateSocket(accepted, {
    allowHalfOpen: true,
    onread: {
      buffer: () => {
        // Untouched pages cost nothing: only a connection that moves much gets memory for it.
        if (read > limits.bulkAfterBytes && buffer.length < limits.bulkBufferBytes) {
          buffer = Buffer.allocUnsafeSlow(limits.bulkBufferBytes);
        }
        return buffer;
      },
      callback: (length, filled) => {
        read += length;
        if (!sink((filled as Buffer).subarray(0, length))) return false;
        if (limits.bulkPauseMs === 0 || read <= limits.bulkAfterBytes || length * 2 > filled.length)
          return true;
        // A bulk transfer that is read as soon as something arrives comes in small pieces, each at the full price of a
        // turn of the event loop: a moment later it is one large piece.
        setTimeout(resume, limits.bulkPauseMs);
        return false;
      },
    },
  });
  stream.setNoDelay(true);
  return {
    stream,
    socket: stream,
    reusesBuffer: true,
    start(newSink) {
      sink = newSink;
      stream.resume();
    },
    resume: () => void stream.resume(),
    unread: () => Math.max(0, readBefore - read),
  };
}

/** Reads what emits its own chunks. */
export function streamLeg<Stream extends Readable>(stream: Stream): ReadableLeg<Stream> {
  return {
    stream,
    socket: undefined,
    reusesBuffer: false,
    start(sink) {
      stream.on('data', (chunk: Buffer) => {
        if (!sink(chunk)) stream.pause();
      });
      // Whoever read the head of the request has paused the stream, and a listener alone does not undo that.
      stream.resume();
    },
    resume: () => void stream.resume(),
    unread: () => 0,
  };
}
