import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  decodeStreamFrame,
  encodeStreamFrame,
  encodeWebSocketHead,
  extensionId,
  frameHeadBytes,
  maskInPlace,
  StreamBodyReader,
  type StreamEvent,
  StreamMultiplexer,
  streamLimits,
  WebSocketReader,
} from '@manypath/core';
import type { Gateway } from '@manypath/gateway';
import { afterThisTest } from './scope.ts';

/** The head fields with which the extension asks; tests leave out or change some. */
export function streamFields(gateway: Gateway): Record<string, string> {
  const { protocol, token } = gateway.hello().streams;
  return {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    Origin: `chrome-extension://${extensionId}`,
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Protocol': `${protocol}, token.${token}`,
  };
}

/** Asks for a WebSocket. @returns The socket, and the head of the answer. */
export async function askForStreams(
  gateway: Gateway,
  fields: Record<string, string>,
): Promise<{ socket: Socket; head: string }> {
  const socket = connect(gateway.proxy.port, gateway.proxy.host);
  afterThisTest(() => void socket.destroy());
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  socket.write(`GET ${gateway.hello().streams.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  let head = '';
  while (!head.includes('\r\n\r\n')) head += String((await once(socket, 'data'))[0]);
  return { socket, head };
}

/** The head fields with which the extension asks for a body of frames. */
export function bodyFields(gateway: Gateway): Record<string, string> {
  return {
    Host: '127.0.0.1',
    Origin: `chrome-extension://${extensionId}`,
    Authorization: `Bearer ${gateway.hello().streams.token}`,
    'Content-Length': '0',
  };
}

/** Asks for a body of frames. @returns The socket, the head of the answer, and what followed it. */
export async function askForBody(
  gateway: Gateway,
  name: string,
  fields: Record<string, string>,
  method = 'POST',
): Promise<{ socket: Socket; head: string; rest: Uint8Array }> {
  const socket = connect(gateway.proxy.port, gateway.proxy.host);
  afterThisTest(() => void socket.destroy());
  const lines = Object.entries(fields).map(([field, value]) => `${field}: ${value}`);
  socket.write(`${method} ${gateway.hello().streams.path}/${name} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
  let answer = Buffer.alloc(0);
  while (!answer.includes('\r\n\r\n')) answer = Buffer.concat([answer, (await once(socket, 'data'))[0]]);
  const end = answer.indexOf('\r\n\r\n') + 4;
  return { socket, head: answer.subarray(0, end).toString(), rest: answer.subarray(end) };
}

/** What the extension is for the gateway: a WebSocket with streams. */
export class StreamClient {
  readonly events: StreamEvent[] = [];
  readonly #socket: Socket;
  readonly #multiplexer = new StreamMultiplexer('opens');
  #changed: () => void = () => {};
  #isOver = false;

  static async open(gateway: Gateway): Promise<StreamClient> {
    const { socket } = await askForStreams(gateway, streamFields(gateway));
    return new StreamClient(socket);
  }

  /** What comes from the gateway comes in a body. */
  static async openWithBody(gateway: Gateway): Promise<StreamClient> {
    const fields = streamFields(gateway);
    const words = `session.ours, ${fields['Sec-WebSocket-Protocol']}`;
    const { socket } = await askForStreams(gateway, { ...fields, 'Sec-WebSocket-Protocol': words });
    const client = new StreamClient(socket);
    const body = await askForBody(gateway, 'ours', bodyFields(gateway));
    client.#readBody(body.socket, body.rest);
    return client;
  }

  #readBody(socket: Socket, first: Uint8Array): void {
    const reader = new StreamBodyReader(frameHeadBytes + streamLimits.frameBytes);
    const receive = (chunk: Uint8Array) => {
      for (const frame of reader.receive(chunk)) this.events.push(...this.#multiplexer.receive(frame));
      this.#pump();
      this.#changed();
    };
    receive(first);
    socket.on('data', receive);
    this.body = socket;
  }

  /** The connection of the body, where there is one. */
  body: Socket | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const reader = new WebSocketReader('client');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOver = true;
      this.#changed();
    });
    socket.on('data', chunk => {
      for (const event of reader.receive(chunk)) {
        if (event.event === 'binary') this.events.push(...this.#multiplexer.receive(event.bytes));
        if (event.event === 'close') this.#isOver = true;
      }
      this.#pump();
      this.#changed();
    });
  }

  openStream(target: string, local = false): number {
    const stream = this.#multiplexer.open('tcp', target, local) ?? 0;
    this.#pump();
    return stream;
  }

  /** Asks for a program in the name of a page of an origin, which is the extension's to fill in. */
  openProgram(name: string, origin: string): number {
    const stream = this.#multiplexer.open('program', name) ?? 0;
    for (let message = this.#multiplexer.next(); message; message = this.#multiplexer.next()) {
      const frame = decodeStreamFrame(message);
      this.raw(frame.type === 'open' ? encodeStreamFrame({ ...frame, origin }) : message);
    }
    return stream;
  }

  send(stream: number, text: string): void {
    this.#multiplexer.write(stream, Buffer.from(text));
    this.#pump();
  }

  /** Lets so many bytes more come. */
  consumed(stream: number, bytes: number): void {
    this.#multiplexer.consumed(stream, bytes);
    this.#pump();
  }

  /** Bytes that have not left. */
  queued(stream: number): number {
    return this.#multiplexer.queued(stream);
  }

  finish(stream: number): void {
    this.#multiplexer.finish(stream);
    this.#pump();
  }

  stop(stream: number): void {
    this.#multiplexer.stop(stream);
    this.#pump();
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(stream: number): void {
    this.#multiplexer.reset(stream, 'cancelled');
    this.#pump();
  }

  askInfo(stream: number): void {
    this.#multiplexer.info(stream);
    this.#pump();
  }

  /** Has all that `action` sends arrive at once. */
  together(action: () => void): void {
    this.#socket.cork();
    action();
    this.#socket.uncork();
  }

  /** Sends one message as it is. */
  raw(bytes: Uint8Array): void {
    const key = Uint8Array.of(1, 2, 3, 4);
    const masked = bytes.slice();
    maskInPlace(masked, key);
    this.#socket.write(Buffer.concat([encodeWebSocketHead('binary', masked.length, key), masked]));
  }

  /** Waits for an event of a kind on a stream. */
  async next<Kind extends StreamEvent['event']>(
    stream: number,
    kind: Kind,
  ): Promise<StreamEvent & { event: Kind }> {
    for (;;) {
      const found = this.events.findIndex(event => event.stream === stream && event.event === kind);
      if (found >= 0) return this.events.splice(found, 1)[0] as StreamEvent & { event: Kind };
      if (this.#isOver) throw new Error(`the connection ended; no ${kind} of stream ${stream} came`);
      await this.#change();
    }
  }

  /** Waits for the end of the connection. */
  async ended(): Promise<void> {
    while (!this.#isOver) await this.#change();
  }

  #change(): Promise<void> {
    return new Promise(resolve => {
      this.#changed = resolve;
    });
  }

  #pump(): void {
    for (let message = this.#multiplexer.next(); message; message = this.#multiplexer.next())
      this.raw(message);
  }
}
