import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Pump, sendNow, startPump, takeError } from '@manypath/mptcp';
import type { ForwardLimits } from './limits.ts';
import type { ReadableLeg } from './reader.ts';

/** What a {@link Direction} needs besides its legs. */
export interface DirectionOptions {
  limits: ForwardLimits;
  /** A leg broke where Node does not look: below its streams. */
  onBroken: (leg: ReadableLeg, cause: Error) => void;
  /** A write to a leg has failed. It is about to be closed, and may have said something that nobody has read. */
  onUnwritable: (leg: ReadableLeg) => void;
}

/**
 * One direction of a relayed connection: through Node's sockets and streams first; a bulk transfer between two plain
 * sockets is then left to the kernel's calls alone.
 */
export class Direction {
  /** Whether the source has sent its end. */
  ended = false;
  /** Whether the end was passed on to the destination. */
  sentEnd = false;
  /** Whether the destination has taken everything, with the end. */
  delivered = false;
  readonly #source: ReadableLeg;
  readonly #destination: ReadableLeg;
  readonly #options: DirectionOptions;
  #read = 0;
  #waiting = false;
  #pump: Pump | undefined;
  #triedPump = false;

  constructor(source: ReadableLeg, destination: ReadableLeg, options: DirectionOptions) {
    this.#source = source;
    this.#destination = destination;
    this.#options = options;
  }

  /** Bytes read so far. */
  get bytes(): number {
    return this.#read + (this.#pump?.bytes ?? 0);
  }

  start(): void {
    const destination = this.#destination.stream;
    // Who ended while the other side was dialled does not say so again.
    if (this.#source.stream.readableEnded) queueMicrotask(() => this.#passEnd());
    else this.#source.stream.once('end', () => this.#passEnd());
    destination.once('finish', () => {
      this.delivered = true;
    });
    const lend = this.#source.reusesBuffer && this.#destination.reusesBuffer;
    if (!lend) destination.on('drain', this.#goOn);
    this.#source.start(lend ? chunk => this.#lend(chunk) : chunk => this.#hand(chunk));
  }

  /** Lets go of the legs, which are being closed. */
  stop(): void {
    this.#triedPump = true;
    this.#pump?.stop();
  }

  #passEnd(): void {
    const broken = whatBroke(this.#source.stream);
    if (broken !== undefined) {
      this.#options.onBroken(this.#source, broken);
      return;
    }
    this.ended = true;
    this.sentEnd = true;
    this.#destination.stream.end();
  }

  /** Socket to socket: the kernel mostly takes a chunk at once; what it does not is kept, and waited for. */
  #lend(chunk: Buffer): boolean {
    const { socket, stream } = this.#destination;
    this.#read += chunk.length;
    const sent = socket === undefined ? 0 : sendNow(socket, chunk);
    if (sent === chunk.length) return !this.#startPump();
    this.#waiting = true;
    stream.write(Buffer.from(chunk.subarray(sent)), this.#written);
    return false;
  }

  /** Streams queue what they encrypt or frame: they get chunks of their own, up to their high-water mark. */
  #hand(chunk: Buffer): boolean {
    this.#read += chunk.length;
    const own = this.#source.reusesBuffer ? Buffer.from(chunk) : chunk;
    this.#waiting = !this.#destination.stream.write(own, this.#written);
    return !this.#waiting;
  }

  /** Delivers what the source said last. */
  takeLast(chunk: Buffer): void {
    if (chunk.length > 0 && this.#source.unread() === 0) this.#hand(chunk);
  }

  readonly #written = (error?: Error | null): void => {
    if (error) this.#options.onUnwritable(this.#destination);
    else this.#goOn();
  };

  readonly #goOn = (): void => {
    if (!this.#waiting || this.#destination.stream.writableLength > 0) return;
    this.#waiting = false;
    if (!this.#startPump()) this.#source.resume();
  };

  /**
   * Leaves the rest to the kernel once there is much of it. Nothing may lie in Node then: neither here nor in what was
   * read before the relay began.
   */
  #startPump(): boolean {
    const { limits, onBroken } = this.#options;
    const [source, destination] = [this.#source, this.#destination];
    if (this.#triedPump || this.#read <= limits.bulkAfterBytes || source.unread() > 0) return false;
    this.#triedPump = true;
    if (source.socket === undefined || destination.socket === undefined) return false;
    this.#pump = startPump(source.socket, destination.socket, {
      bufferBytes: limits.pumpBufferBytes,
      pauseMs: limits.bulkPauseMs,
      onEnd: () => source.resume(),
      onError: (side, error) => onBroken(side === 'source' ? source : destination, error),
    });
    return this.#pump !== undefined;
  }
}

/** What broke a leg that seems to have ended; `undefined` when it did end. */
function whatBroke(stream: Duplex): Error | undefined {
  if (stream instanceof Socket) return takeError(stream);
  // Streams of HTTP/2 that lose their connection end first, and close in error afterwards.
  const isAborted = 'aborted' in stream && stream.aborted === true;
  return isAborted ? new Error('the stream was aborted') : undefined;
}
