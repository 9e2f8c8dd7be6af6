import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/**
 * What an HTTP/2 session writes to and reads from, instead of the socket itself.
 *
 * Node's HTTP/2 does not read while a write is under way (`Http2Session::MaybeStopReading` in src/node_http2.cc): on a
 * socket whose send buffer is full, an upload would slow all downloads of the lane down to its own pace, and two sides
 * that both write more than the kernel takes would wait for each other for ever. Here every write is taken at once, so
 * that reading never stops. How much that may be is the streams' business: they hold their clients back while
 * {@link isFull}.
 */
export class DecoupledSocket extends Duplex {
  readonly #socket: Socket;
  readonly #mostQueued: number;
  readonly #waiting: (() => void)[] = [];

  readonly #onWrite: () => void;

  /**
   * @param mostQueued Bytes that may wait for the kernel until {@link isFull}.
   * @param onWrite Called whenever something is sent.
   */
  constructor(socket: Socket, mostQueued: number, onWrite: () => void = () => {}) {
    super({ allowHalfOpen: false, readableHighWaterMark: readAheadBytes });
    this.#socket = socket;
    this.#mostQueued = mostQueued;
    this.#onWrite = onWrite;
    socket.on('data', bytes => {
      if (!this.push(bytes)) socket.pause();
    });
    socket.once('end', () => this.push(null));
    socket.on('error', error => this.destroy(error));
    socket.once('close', () => this.destroy());
    socket.on('drain', () => this.#drained());
  }

  /** Whether more is written than the kernel takes. */
  get isFull(): boolean {
    return this.#socket.writableLength > this.#mostQueued;
  }

  /** Calls `callback` when there is room again; at once if there is. */
  whenRoom(callback: () => void): void {
    if (this.isFull && !this.destroyed) this.#waiting.push(callback);
    else callback();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#onWrite();
    this.#socket.write(bytes);
    callback();
  }

  override _writev(parts: { chunk: Buffer }[], callback: () => void): void {
    this.#onWrite();
    this.#socket.cork();
    for (const { chunk } of parts) this.#socket.write(chunk);
    this.#socket.uncork();
    callback();
  }

  override _final(callback: () => void): void {
    this.#socket.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#socket.destroy();
    this.#drained();
    callback(error);
  }

  #drained(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}

const readAheadBytes = 262_144;
