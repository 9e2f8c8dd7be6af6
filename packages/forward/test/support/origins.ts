import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Something that listens on loopback. */
export interface Origin {
  /** `127.0.0.1:PORT` */
  readonly place: string;
  /** Connections that came in so far. */
  readonly sockets: Socket[];
}

/** Hands every connection to `serve`. */
export function tcpOrigin(serve: (socket: Socket) => void): Promise<Origin> {
  return listening(
    createServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {});
      serve(socket);
    }),
  );
}

/** A web server. */
export function httpOrigin(serve: RequestListener): Promise<Origin> {
  return listening(createHttpServer(serve));
}

/** Answers the first bytes of every connection with fixed bytes; `then` may go on with it. */
export function rawOrigin(answer: string, then: (socket: Socket) => void = () => {}): Promise<Origin> {
  return tcpOrigin(socket => {
    socket.once('data', () => socket.write(Buffer.from(answer, 'latin1'), () => then(socket))).resume();
  });
}

/** `127.0.0.1:PORT` where nobody listens. */
export async function nowhere(): Promise<string> {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${port}`;
}

/** Has a server listen on loopback for the test that runs now. */
export async function listening(server: Server): Promise<Origin> {
  const sockets: Socket[] = [];
  server.on('connection', (socket: Socket) => sockets.push(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { place: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets };
}
