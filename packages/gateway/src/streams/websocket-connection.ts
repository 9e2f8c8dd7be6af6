import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import {
  encodeCloseReason,
  encodeWebSocketHead,
  type HttpRequestHead,
  headerValue,
  type WebSocketFrameKind,
  WebSocketProtocolError,
  WebSocketReader,
} from '@manypath/core';
import { forwardLimits, readableLeg } from '@manypath/forward';
import { gatewayLimits } from '../limits.ts';
import { type FrameSink, GatheredWriter } from './frame-sink.ts';

/** What a {@link WebSocketConnection} tells. */
export interface WebSocketHandlers {
  onMessage(bytes: Uint8Array): void;
  /** The kernel has everything after it did not. */
  onDrain(): void;
  /** It is over, for whichever reason; told once. */
  onClose(): void;
}

/** Settings of a {@link WebSocketConnection}. */
export interface WebSocketSettings {
  /** From the request, see {@link webSocketKey}. */
  readonly key: string;
  /** The subprotocol to agree on (§4.2.2). Default: none. */
  readonly protocol?: string;
  /** What a message may have at most. */
  readonly messageBytes: number;
  /** What may wait for the kernel until it is full, and what is read at once, in bytes. Default: `streamQueuedBytes` of the limits. */
  readonly queuedBytes?: number;
  /** Gives memory for a message. Default: new memory each time. */
  readonly allocate?: (length: number) => Uint8Array;
}

/** The server's end of a WebSocket that carries binary messages (RFC 6455). */
export class WebSocketConnection implements FrameSink {
  readonly #socket: Duplex;
  readonly #out: GatheredWriter;
  readonly #reader: WebSocketReader;
  readonly #handlers: WebSocketHandlers;
  #isClosing = false;
  #isOver = false;

  /** Answers a request that asks for a WebSocket. @param accepted Its connection; it is not to be used any more. */
  constructor(accepted: Duplex, settings: WebSocketSettings, handlers: WebSocketHandlers) {
    const {
      key,
      protocol,
      messageBytes,
      queuedBytes = gatewayLimits.streamQueuedBytes,
      allocate = length => new Uint8Array(length),
    } = settings;
    const leg = readableLeg(accepted, { ...forwardLimits, bulkBufferBytes: queuedBytes, bulkPauseMs: 0 });
    const socket = leg.stream;
    this.#socket = socket;
    this.#out = new GatheredWriter(socket, queuedBytes, () => handlers.onDrain());
    this.#handlers = handlers;
    this.#reader = new WebSocketReader('server', { messageBytes }, allocate);
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${acceptOf(key)}\r\n` +
        `${protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`}\r\n`,
    );
    socket
      .on('error', () => {})
      .once('end', () => socket.end())
      .once('close', () => this.#over());
    leg.start(chunk => {
      this.#receive(chunk);
      return true;
    });
  }

  get isFull(): boolean {
    return this.#out.isFull;
  }

  get isFlushed(): boolean {
    return this.#out.isFlushed;
  }

  /** Sends a message, which may be in pieces. */
  send(...pieces: readonly Uint8Array[]): void {
    if (!this.#isClosing) this.#write('binary', ...pieces);
  }

  together(send: () => void): void {
    this.#out.together(send);
  }

  /** Ends it in order; the other side has a moment to answer. */
  close(code: number, reason = ''): void {
    if (this.#isClosing) return;
    this.#write('close', encodeCloseReason(code, reason));
    this.#isClosing = true;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), closeMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const event of this.#reader.receive(chunk)) {
        if (this.#isClosing) return;
        if (event.event === 'binary') this.#handlers.onMessage(event.bytes);
        else if (event.event === 'ping') this.#write('pong', event.bytes);
        else if (event.event === 'close') this.close(event.code === 1005 ? 1000 : event.code);
        else if (event.event === 'text') this.close(1003, 'only binary messages are understood');
      }
    } catch (error) {
      const isTheirs = error instanceof WebSocketProtocolError;
      this.close(isTheirs ? error.closeCode : 1002, error instanceof Error ? error.message : '');
    }
  }

  #write(kind: WebSocketFrameKind, ...pieces: readonly Uint8Array[]): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#out.write(encodeWebSocketHead(kind, bytes), ...pieces);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isClosing = true;
    this.#handlers.onClose();
  }
}

/** How long the other side has to end a connection that is closing, in milliseconds. */
const closeMs = 1000;

/** The key of a request for a WebSocket; `undefined` when it is none (§4.2.1). */
export function webSocketKey({ method, headers }: HttpRequestHead): string | undefined {
  const words = (name: string) =>
    (headerValue(headers, name) ?? '')
      .toLowerCase()
      .split(',')
      .map(word => word.trim());
  const key = headerValue(headers, 'sec-websocket-key') ?? '';
  const asks =
    method === 'GET' &&
    words('upgrade').includes('websocket') &&
    words('connection').includes('upgrade') &&
    headerValue(headers, 'sec-websocket-version') === '13' &&
    Buffer.from(key, 'base64').length === 16;
  return asks ? key : undefined;
}

/** §1.3 */
function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
