import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Authority } from '@manypath/core';
import { connect } from '@manypath/mptcp';
import { onTestFinished } from 'vitest';
import { acceptTunnel, HttpFront, type HttpFrontOptions, refuseTunnel, relayBytes } from '../../src/index.ts';

/** A proxy that consists of a front and nothing else. */
export interface TestFront extends Authority {
  readonly front: HttpFront;
  /** Connections to origins so far, in order. */
  readonly dialled: Duplex[];
  /** Connections of clients that are open. */
  readonly clients: Set<Socket>;
}

/** Serves a front on loopback that dials whatever it is asked for; it is closed when the test has ended. */
export async function testFront(options: Partial<HttpFrontOptions> = {}): Promise<TestFront> {
  const dialled: Duplex[] = [];
  const dial = options.dial ?? ((target, { signal }) => connect({ ...target, signal, allowHalfOpen: true }));
  const front = new HttpFront({
    onTunnel: ({ socket, target }) => {
      const { signal } = new AbortController();
      socket.on('error', () => {});
      dial(target, { signal }).then(
        upstream => {
          acceptTunnel(socket);
          relayBytes(socket, upstream);
        },
        error => refuseTunnel(socket, error),
      );
    },
    ...options,
    dial: async (target, context) => {
      const upstream = await dial(target, context);
      dialled.push(upstream);
      return upstream;
    },
  });
  const clients = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, socket => {
    clients.add(socket);
    socket.once('close', () => clients.delete(socket));
    front.serve(socket);
  });
  onTestFinished(() => {
    front.close();
    for (const client of clients) client.destroy();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { front, dialled, clients, host: '127.0.0.1', port: (server.address() as AddressInfo).port };
}
