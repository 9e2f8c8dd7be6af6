import { readdirSync, readlinkSync } from 'node:fs';
import type { AddressInfo, Server, Socket } from 'node:net';
import { type ConnectOptions, connect, createServer, type ServerOptions } from '../../src/index.ts';

/** The port a server listens on. */
export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Ends a server and everything that is connected to it. */
export async function closeServer(server: Server, ...sockets: Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>(resolve => server.close(() => resolve()));
}

/** Does its work somewhere else, as in a network namespace. */
export type Within = <T>(work: () => T) => T;

/** Both ends of one connection over loopback. */
export interface Pair extends AsyncDisposable {
  client: Socket;
  accepted: Socket;
  server: Server;
}

export async function connectedPair(
  connectOptions: Partial<ConnectOptions> = {},
  serverOptions: ServerOptions = {},
  within: Within = work => work(),
): Promise<Pair> {
  let accept: (socket: Socket) => void = () => {};
  const arrival = new Promise<Socket>(resolve => {
    accept = resolve;
  });
  const server = await within(() =>
    createServer({ host: '127.0.0.1', ...serverOptions }, socket => accept(socket)),
  );
  const port = portOf(server);
  const client = await within(() => connect({ host: '127.0.0.1', port, ...connectOptions }));
  const accepted = await arrival;
  for (const socket of [client, accepted]) socket.on('error', () => {});
  return {
    client,
    accepted,
    server,
    [Symbol.asyncDispose]: () => closeServer(server, client, accepted),
  };
}

/** All bytes of a stream until its end, as text. */
export async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** How many descriptors of this process are sockets. */
export function openSockets(): number {
  let count = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:')) count++;
    } catch {
      // The one that readdir itself had open.
    }
  }
  return count;
}

/** A port of 127.0.0.1 on which nobody listens (somebody did a moment ago). */
export async function unusedPort(): Promise<number> {
  const server = await createServer({ host: '127.0.0.1' });
  const port = portOf(server);
  await closeServer(server);
  return port;
}
