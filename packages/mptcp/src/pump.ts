import type { Socket } from 'node:net';
import { systemClock, type Timer } from '@manypath/core';
import { tryFdOf } from './descriptor.ts';
import { SystemCallError } from './errors.ts';
import { errnoName } from './kernel/errno.ts';
import { type Libc, type RawPoll, tryLibc } from './kernel/libc.ts';
import { mptcpLimits } from './limits.ts';

/** What {@link startPump} needs, and whom it tells. The functions are called from a turn of their own. */
export interface PumpOptions {
  /** How much is read at once, in bytes. */
  bufferBytes: number;
  /**
   * How long the source is left alone after less than half a buffer came, in milliseconds; four times as long after little. What is
   * read as soon as something arrives comes in small pieces, each at the price of a turn; a moment later it is one large
   * piece. Default 0: not at all.
   */
  pauseMs?: number;
  /** The source has ended, and all it sent was delivered: the end itself is left for Node to read. */
  onEnd: () => void;
  /** One of the two sockets has broken, and the pump has stopped. */
  onError: (side: 'source' | 'destination', error: SystemCallError) => void;
}

/** Bytes on their way from one socket to another. */
export interface Pump {
  /** Bytes read from the source so far. */
  readonly bytes: number;
  /** Ends it. What was read and not yet delivered is lost, so this is for connections that broke. */
  stop(): void;
}

/**
 * Moves bytes from one socket to another without Node's streams in between: each time the source is readable, one
 * recv(2) of as much as there is and one send(2). Beside static buffers in Node this saves a tenth of the CPU time; most
 * of that by reading more at once, for which one buffer serves all connections that are not stuck.
 *
 * Both are plain sockets, TCP or MPTCP, and stay those of the caller. Node must not read from the source meanwhile
 * (paused, nothing buffered) nor have anything to write to the destination. A slow destination stops the reading.
 *
 * @returns `undefined` where it cannot be done: no koffi, a closed socket, or no descriptor left.
 */
export function startPump(source: Socket, destination: Socket, options: PumpOptions): Pump | undefined {
  const kernel = tryLibc();
  const from = tryFdOf(source);
  const to = tryFdOf(destination);
  if (kernel === undefined || from === undefined || to === undefined) return undefined;
  const own: number[] = [];
  try {
    // Twins, because libuv keeps one watch a descriptor, and Node may close its own at any time.
    own.push(kernel.dup(from));
    own.push(kernel.dup(to));
  } catch {
    for (const fd of own) kernel.close(fd);
    return undefined;
  }
  const [input = -1, output = -1] = own;
  return new SocketPump(kernel, input, output, options);
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const EINTR = 4;
const EAGAIN = 11;

class SocketPump implements Pump {
  bytes = 0;
  readonly #kernel: Libc;
  readonly #input: number;
  readonly #output: number;
  readonly #options: PumpOptions;
  readonly #readable: RawPoll;
  #writable: RawPoll | undefined;
  /** What the destination has not taken yet, as a part of `#buffer`; the pump waits for it while there is some. */
  #rest: Uint8Array = nothing;
  #buffer: Uint8Array | undefined;
  #stopped = false;
  #pause: Timer | undefined;
  /** Whether it is told when the source is readable. */
  #watches = true;

  constructor(kernel: Libc, input: number, output: number, options: PumpOptions) {
    this.#kernel = kernel;
    this.#input = input;
    this.#output = output;
    this.#options = options;
    this.#readable = kernel.poll(input, { readable: true }, this.#onReadable);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#pause?.cancel();
    this.#readable.close();
    this.#writable?.close();
    this.#kernel.close(this.#input);
    this.#kernel.close(this.#output);
    this.#giveBack();
  }

  // Both may run outside of Node's own turns, where promises and ticks would wait: nothing but system calls happens here.
  readonly #onReadable = (): void => {
    if (this.#stopped) return;
    this.#buffer ??= takeBuffer(this.#options.bufferBytes);
    const room = this.#buffer.length;
    const length = this.#kernel.tryRecv(this.#input, this.#buffer, MSG_DONTWAIT);
    if (length > 0) {
      this.bytes += length;
      this.#rest = length === room ? this.#buffer : this.#buffer.subarray(0, length);
      if (!this.#deliver()) this.#awaitRoom();
      else if (this.#deservesPause(length, room)) this.#leaveAlone(length);
      else this.#watch(true);
      return;
    }
    this.#giveBack();
    if (length === 0) this.#finish(this.#options.onEnd);
    else if (length === -EAGAIN || length === -EINTR) this.#watch(true);
    else this.#fail('source', 'recv', -length);
  };

  readonly #onWritable = (): void => {
    if (this.#stopped || !this.#deliver() || this.#stopped) return;
    this.#writable?.stop();
    this.#watch(true);
  };

  /** @returns whether the pump is done with what it had read. */
  #deliver(): boolean {
    while (this.#rest.length > 0) {
      const length = this.#kernel.trySend(this.#output, this.#rest, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (length === -EINTR) continue;
      if (length === -EAGAIN) return false;
      if (length < 0) {
        this.#fail('destination', 'send', -length);
        return true;
      }
      this.#rest = this.#rest.subarray(length);
    }
    this.#giveBack();
    return true;
  }

  /** Whether a piece was neither a message nor much for the room that there was. */
  #deservesPause(length: number, room: number): boolean {
    const { pauseMs = 0 } = this.#options;
    return pauseMs > 0 && length >= pumpMessageBytes && length * 2 <= room;
  }

  /** Lets something gather in the kernel. Pumps go on at the same moments, so that one turn serves them all. */
  #leaveAlone(length: number): void {
    if (this.#stopped) return;
    const { pauseMs = 0 } = this.#options;
    const period = length < pumpSmallPieceBytes ? 4 * pauseMs : pauseMs;
    this.#watch(false);
    this.#pause = systemClock.after(period - (systemClock.now() % period), this.#onReadable);
  }

  #watch(on: boolean): void {
    if (on === this.#watches || this.#stopped) return;
    this.#watches = on;
    if (on) this.#readable.start({ readable: true }, this.#onReadable);
    else this.#readable.stop();
  }

  #awaitRoom(): void {
    this.#watch(false);
    if (this.#writable === undefined) {
      this.#writable = this.#kernel.poll(this.#output, { writable: true }, this.#onWritable);
    } else {
      this.#writable.start({ writable: true }, this.#onWritable);
    }
  }

  #giveBack(): void {
    if (this.#buffer !== undefined) returnBuffer(this.#buffer);
    this.#buffer = undefined;
    this.#rest = nothing;
  }

  #fail(side: 'source' | 'destination', syscall: string, errno: number): void {
    const error = new SystemCallError(syscall, errno, errnoName(errno));
    this.#finish(() => this.#options.onError(side, error));
  }

  #finish(tell: () => void): void {
    this.stop();
    setImmediate(tell);
  }
}

const nothing = new Uint8Array();

const { pumpLargeBuffers, pumpSmallBufferBytes, pumpSpareBuffers } = mptcpLimits;
/** What is smaller may be a message that somebody answers, and the answer must not wait. */
const pumpMessageBytes = 16_384;
/** After less than this, more time is given: many streams, or a slow one. */
const pumpSmallPieceBytes = 262_144;
let largeBuffersTaken = 0;
/** Free buffers. One is enough when nothing is stuck, and it stays in the processor's cache. */
const spare: Uint8Array[] = [];

function takeBuffer(bytes: number): Uint8Array {
  if (bytes <= pumpSmallBufferBytes) return Buffer.allocUnsafeSlow(bytes);
  if (largeBuffersTaken >= pumpLargeBuffers) return Buffer.allocUnsafeSlow(pumpSmallBufferBytes);
  largeBuffersTaken += 1;
  const free = spare.pop();
  return free?.length === bytes ? free : Buffer.allocUnsafeSlow(bytes);
}

function returnBuffer(buffer: Uint8Array): void {
  if (buffer.length <= pumpSmallBufferBytes) return;
  largeBuffersTaken -= 1;
  if (spare.length < pumpSpareBuffers) spare.push(buffer);
}
