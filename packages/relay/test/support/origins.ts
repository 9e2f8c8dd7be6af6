import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** `127.0.0.1:PORT` of a server. */
export function placeOf(server: Server | HttpServer): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A TCP server on loopback whose connections are given to `serve`; it is closed when the test has ended. */
export async function tcpOrigin(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    serve(socket);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return placeOf(server);
}

/** An origin that sends back what it gets, and its end. */
export function echoOrigin(): Promise<string> {
  return tcpOrigin(socket => socket.pipe(socket));
}

/** An HTTP server on loopback. */
export async function httpOrigin(listener: RequestListener): Promise<string> {
  const server = createHttpServer({ joinDuplicateHeaders: true }, listener);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return placeOf(server);
}

/** Bytes that repeat nowhere near: which byte is where can be told from its value alone. */
export function pattern(length: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed >>> 0 || 1;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return Buffer.from(words.buffer, 0, length);
}
