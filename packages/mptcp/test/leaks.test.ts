import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, createServer, fdOf } from '../src/index.ts';
import { needsMptcp } from './support/requirements.ts';
import { closeServer, openSockets, portOf, unusedPort } from './support/sockets.ts';

describe('descriptors', () => {
  needsMptcp();

  let port: number;
  let before: number;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    const sockets = new Set<Socket>();
    const server = await createServer({ host: '127.0.0.1' }, socket => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
      socket.resume();
    });
    port = portOf(server);
    before = openSockets();
    stop = () => closeServer(server, ...sockets);
  });
  afterEach(() => stop());

  const settled = (): Promise<void> => expect.poll(openSockets, { timeout: 5000 }).toBe(before);

  /** Runs `job` many times, some at once. */
  async function repeat(times: number, job: (i: number) => Promise<unknown>): Promise<void> {
    for (let i = 0; i < times; i += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => job(i + k)));
    }
  }

  test('are given back by thousands of connections', async () => {
    await repeat(2000, async () => {
      const socket = await connect({ host: '127.0.0.1', port });
      socket.destroy();
      await once(socket, 'close');
    });
    await settled();
  }, 30_000);

  test('are given back by refused connections, to one address and to many', async () => {
    const nobody = await unusedPort();
    const lookup = async () => ['127.0.0.1', '127.0.0.2', '::1'].map(address => ({ address, family: 0 }));
    await repeat(300, () => connect({ host: 'three.test', port: nobody, lookup }).catch(() => {}));
    await settled();
  }, 30_000);

  test('are given back when the signal aborts at any moment', async () => {
    let aborted = 0;
    await repeat(1000, async i => {
      const aborter = new AbortController();
      const dialling = connect({ host: '127.0.0.1', port, signal: aborter.signal });
      if (i % 3 === 0) aborter.abort();
      else if (i % 3 === 1) process.nextTick(() => aborter.abort());
      else setImmediate(() => aborter.abort());
      await dialling.then(
        socket => socket.destroy(),
        () => aborted++,
      );
    });
    expect(aborted).toBeGreaterThan(300);
    await settled();
  }, 30_000);

  test('are given back when the time is up at any moment', async () => {
    await repeat(500, i =>
      connect({ host: '127.0.0.1', port, timeout: i % 5 || 0.1 }).then(
        socket => socket.destroy(),
        () => {},
      ),
    );
    await settled();
  }, 30_000);

  test('are given back when binding or an option fails', async () => {
    await repeat(200, i =>
      connect({
        host: '127.0.0.1',
        port,
        ...(i % 2 === 0 ? { localAddress: '192.0.2.1' } : { congestion: 'telepathy' }),
      }).catch(() => {}),
    );
    await repeat(100, () => createServer({ host: '192.0.2.1' }).catch(() => {}));
    await repeat(100, () => createServer({ host: '127.0.0.1', port }).catch(() => {}));
    await settled();
  }, 30_000);

  test('belong to the socket: it closes them, and nobody else may', async () => {
    const socket = await connect({ host: '127.0.0.1', port });
    const fd = fdOf(socket);
    socket.destroy();
    await once(socket, 'close');
    expect(() => closeSync(fd)).toThrow(/EBADF/);
  });

  test('of a server belong to the server', async () => {
    const server = await createServer({ host: '127.0.0.1' });
    const fd = fdOf(server);
    await closeServer(server);
    expect(() => closeSync(fd)).toThrow(/EBADF/);
  });
});
