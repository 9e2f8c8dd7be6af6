import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Authority } from '@manypath/core';
import { afterThisTest } from './scope.ts';

/** Something that listens on loopback. */
export interface Origin extends Authority {
  /** Connections that came in so far. */
  readonly sockets: Set<Socket>;
}

/** Sends back what it gets; ends when the client does. */
export function echoOrigin(host = '127.0.0.1'): Promise<Origin> {
  return tcpOrigin(socket => void socket.pipe(socket), host);
}

/** Hands every connection to `serve`. */
export function tcpOrigin(serve: (socket: Socket) => void, host = '127.0.0.1'): Promise<Origin> {
  const server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    serve(socket);
  });
  return listening(server, host);
}

/** A web server. */
export function httpOrigin(serve: RequestListener, host = '127.0.0.1'): Promise<Origin> {
  return listening(createHttpServer(serve), host);
}

async function listening(server: Server, host: string): Promise<Origin> {
  const sockets = new Set<Socket>();
  server.on('connection', socket => sockets.add(socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host, backlog: 4096 }, resolve);
  });
  afterThisTest(
    () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return { host, port: (server.address() as AddressInfo).port, sockets };
}

/** A port of loopback on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>(resolve => server.close(() => resolve()));
  return port;
}
