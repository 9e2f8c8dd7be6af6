import { once } from 'node:events';
import * as net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type AcceptedConnection, BulkListener, connect, info } from '../src/index.ts';
import { needsMptcp } from './support/requirements.ts';

const cleanup: (() => unknown)[] = [];
afterEach(() => {
  for (const step of cleanup.splice(0).reverse()) step();
});

async function listen(perTurn?: number) {
  const connections: AcceptedConnection[] = [];
  const listener = await BulkListener.listen({
    host: '127.0.0.1',
    ...(perTurn === undefined ? {} : { perTurn }),
    onConnection: connection => void connections.push(connection),
  });
  cleanup.push(() => {
    listener.close();
    for (const connection of connections) connection.reset();
  });
  return { listener, connections };
}

async function client({ address, port }: { address: string; port: number }): Promise<net.Socket> {
  const socket = net.connect(port, address);
  socket.on('error', () => {});
  cleanup.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const text = (connection: AcceptedConnection | undefined): string | number | undefined => {
  const buffer = Buffer.alloc(16);
  const count = connection?.peek(buffer);
  return count === undefined || count === 0 ? count : buffer.toString('latin1', 0, count);
};

describe('a bulk listener', () => {
  needsMptcp();

  test('takes all that come, few at a time where that is wanted', async () => {
    const { listener, connections } = await listen(4);
    await Promise.all(Array.from({ length: 50 }, () => client(listener.address)));
    await expect.poll(() => connections.length).toBe(50);
  });

  test('shows what has come, again and again, and leaves it to the socket', async () => {
    const { listener, connections } = await listen();
    const socket = await client(listener.address);
    await expect.poll(() => connections.length).toBe(1);
    const [connection] = connections;
    expect(connection?.peer).toEqual({ address: '127.0.0.1', port: socket.localPort });
    expect(text(connection)).toBeUndefined();
    const readable = new Promise<void>(resolve => connection?.whenReadable(resolve));
    socket.write('hello');
    await readable;
    expect([text(connection), text(connection)]).toEqual(['hello', 'hello']);
    const accepted = connection?.toSocket();
    expect(connection?.isOpen).toBe(false);
    if (accepted === undefined) return;
    cleanup.push(() => accepted.destroy());
    expect(String((await once(accepted, 'data'))[0])).toBe('hello');
    expect(accepted.remotePort).toBe(socket.localPort);
  });

  test('tells Multipath TCP and TCP apart', async () => {
    const { listener, connections } = await listen();
    const { address: host, port } = listener.address;
    for (const mptcp of [true, false]) {
      const socket = await connect({ host, port, mptcp });
      cleanup.push(() => socket.destroy());
    }
    await expect.poll(() => connections.length).toBe(2);
    const accepted = connections.map(connection => connection.toSocket());
    cleanup.push(() => accepted.map(socket => socket.destroy()));
    expect(accepted.map(socket => info(socket).multipath)).toEqual([true, false]);
  });

  test('says when the other end has gone, and resets', async () => {
    const { listener, connections } = await listen();
    const [gone, stays] = [await client(listener.address), await client(listener.address)];
    await expect.poll(() => connections.length).toBe(2);
    gone.destroy();
    await expect.poll(() => text(connections[0])).toBe(0);
    const broken = once(stays, 'error');
    connections[1]?.reset();
    expect((await broken)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(text(connections[1])).toBe(0);
  });

  test('frees its port when it closes, and takes none that is in use', async () => {
    const { listener } = await listen();
    const place = { host: '127.0.0.1', port: listener.address.port, onConnection: () => {} };
    await expect(BulkListener.listen(place)).rejects.toMatchObject({ code: 'MPTCP_BIND_FAILED' });
    listener.close();
    (await BulkListener.listen(place)).close();
  });
});
