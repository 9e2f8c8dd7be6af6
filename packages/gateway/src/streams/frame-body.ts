import type { Duplex } from 'node:stream';
import { encodeBodyHead, extensionId } from '@manypath/core';
import { type FrameSink, GatheredWriter } from './frame-sink.ts';

/** Frames to the extension in the body of an answer, which ends with the connection (docs/STREAMS.md). */
export class FrameBody implements FrameSink {
  readonly #socket: Duplex;
  readonly #out: GatheredWriter;

  /**
   * Answers the request on this connection.
   *
   * @param queuedBytes What may wait for the kernel until it is full.
   * @param onClose Told once when it is over, for whichever reason.
   */
  constructor(socket: Duplex, queuedBytes: number, onDrain: () => void, onClose: () => void) {
    this.#socket = socket;
    this.#out = new GatheredWriter(socket, queuedBytes, onDrain);
    socket.write(
      'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Content-Type-Options: nosniff\r\n' +
        `Cache-Control: no-store\r\nAccess-Control-Allow-Origin: chrome-extension://${extensionId}\r\n` +
        'Connection: close\r\n\r\n',
    );
    socket.on('error', () => {}).once('close', onClose);
    socket.once('end', () => socket.destroy());
    socket.resume();
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  get isFlushed(): boolean {
    return this.#out.isFlushed;
  }

  send(...pieces: readonly Uint8Array[]): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#out.write(encodeBodyHead(bytes), ...pieces);
  }

  together(send: () => void): void {
    this.#out.together(send);
  }

  close(): void {
    this.#socket.destroy();
  }
}
