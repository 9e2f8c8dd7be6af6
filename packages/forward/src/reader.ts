import { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { readInto } from '@manypath/mptcp';
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

/** Size of what legs are read into, and how long those that carry much are left alone. */
export type ReadLimits = Pick<
  ForwardLimits,
  'smallBufferBytes' | 'bulkBufferBytes' | 'bulkAfterBytes' | 'bulkPauseMs'
>;

/**
 * Makes a leg readable in the cheapest way it allows.
 *
 * A plain socket, TCP or MPTCP, is read into memory that is used again, which costs about half the CPU of Node's streams; TLS
 * and HTTP/2 streams decode into buffers of their own, so their `data` events are as cheap as it gets.
 *
 * @param shares Whether the sink keeps no chunk beyond its return: then all legs are read into the same memory. Default false.
 */
export function readableLeg(stream: Duplex, limits: ReadLimits, shares = false): ReadableLeg {
  return (isPlainSocket(stream) && PlainLeg.of(stream, limits, shares)) || streamLeg(stream);
}

function isPlainSocket(stream: Duplex): stream is Socket {
  return stream instanceof Socket && !(stream instanceof TLSSocket);
}

/** What small pieces are read into, by size, for legs whose sinks keep nothing. */
const sharedBuffers = new Map<number, Uint8Array>();

function sharedBuffer(bytes: number): Uint8Array {
  let buffer = sharedBuffers.get(bytes);
  if (buffer === undefined) {
    buffer = Buffer.allocUnsafeSlow(bytes);
    sharedBuffers.set(bytes, buffer);
  }
  return buffer;
}

/** A plain socket, read into static memory. */
class PlainLeg implements ReadableLeg {
  readonly stream: Socket;
  readonly socket: Socket;
  readonly reusesBuffer = true;
  readonly #limits: ReadLimits;
  #buffer: Uint8Array;
  #sink: ChunkSink = () => false;
  #readBefore: Buffer | null;
  #read = 0;

  /** @returns `undefined` where it cannot be read so. */
  static of(socket: Socket, limits: ReadLimits, shares: boolean): PlainLeg | undefined {
    socket.pause();
    const readBefore: Buffer | null = socket.readableLength > 0 ? socket.read() : null;
    const leg = new PlainLeg(socket, limits, shares, readBefore);
    if (leg.#attach()) return leg;
    if (readBefore !== null) socket.unshift(readBefore);
    return undefined;
  }

  private constructor(socket: Socket, limits: ReadLimits, shares: boolean, readBefore: Buffer | null) {
    this.stream = socket;
    this.socket = socket;
    this.#limits = limits;
    this.#readBefore = readBefore;
    const { smallBufferBytes } = limits;
    this.#buffer = shares ? sharedBuffer(smallBufferBytes) : Buffer.allocUnsafeSlow(smallBufferBytes);
  }

  start(sink: ChunkSink): void {
    this.#sink = sink;
    const before = this.#readBefore;
    this.#readBefore = null;
    if (before === null || sink(before)) this.resume();
  }

  resume(): void {
    if (!this.stream.destroyed) this.stream.resume();
  }

  unread(): number {
    return this.#readBefore?.length ?? 0;
  }

  #attach(): boolean {
    if (!readInto(this.socket, this.#memory, this.#onRead)) return false;
    this.socket.allowHalfOpen = true;
    this.socket.setNoDelay(true);
    // Until somebody takes what comes.
    this.socket.pause();
    return true;
  }

  readonly #memory = (): Uint8Array => {
    const { bulkAfterBytes, bulkBufferBytes } = this.#limits;
    // Untouched pages cost nothing: only a connection that moves much gets memory for it.
    if (this.#read > bulkAfterBytes && this.#buffer.length < bulkBufferBytes)
      this.#buffer = Buffer.allocUnsafeSlow(bulkBufferBytes);
    return this.#buffer;
  };

  readonly #onRead = (length: number): boolean => {
    const { bulkAfterBytes, bulkPauseMs } = this.#limits;
    const buffer = this.#buffer;
    this.#read += length;
    if (!this.#sink(Buffer.from(buffer.buffer, buffer.byteOffset, length))) return false;
    if (bulkPauseMs === 0 || this.#read <= bulkAfterBytes || length * 2 > buffer.length) return true;
    // A bulk transfer that is read as soon as something arrives comes in small pieces, each at the full price of a
    // turn of the event loop: a moment later it is one large piece.
    setTimeout(() => this.resume(), bulkPauseMs);
    return false;
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
