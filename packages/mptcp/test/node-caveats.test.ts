import { once } from 'node:events';
import * as net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createServer, fdOf, info } from '../src/index.ts';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_MPTCP,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from '../src/kernel/constants.ts';
import { libc } from '../src/kernel/libc.ts';
import { needsMptcp } from './support/requirements.ts';
import { closeServer, portOf } from './support/sockets.ts';

/**
 * What Node does with a descriptor it was given: the reasons why `connect` is as it is. Should one of these fail with
 * a new version of Node, a rule in `src/attempt.ts` may be needed no longer, or a new one.
 */
describe('Node', () => {
  needsMptcp();

  const cleanup: (() => Promise<unknown> | unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanup.splice(0).reverse()) await step();
  });

  function wrapped(family = AF_INET, options: { manualStart?: boolean } = { manualStart: true }): net.Socket {
    const fd = libc().socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_MPTCP);
    const socket = new net.Socket({ fd, ...options } as net.SocketConstructorOpts);
    cleanup.push(() => socket.destroy());
    return socket;
  }

  async function listeningPort(): Promise<number> {
    const server = await createServer({ host: '127.0.0.1' }, socket => {
      socket.on('error', () => {});
      cleanup.push(() => socket.destroy());
    });
    cleanup.push(() => closeServer(server));
    return portOf(server);
  }

  test('reads from a descriptor that is not connected yet, and gives it up, without manualStart', async () => {
    const socket = wrapped(AF_INET, {});
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ syscall: 'read', code: 'ENOTCONN' });
  });

  test('leaves it alone with manualStart', async () => {
    const socket = wrapped();
    for (let i = 0; i < 10; i++) await new Promise(resolve => setImmediate(resolve));
    socket.connect({ host: '127.0.0.1', port: await listeningPort() });
    await once(socket, 'connect');
    expect(info(socket).multipath).toBe(true);
  });

  test('takes a TCP handle of its own for the second address of a name', async () => {
    const socket = wrapped();
    socket.connect({
      host: 'two.test',
      port: await listeningPort(),
      autoSelectFamily: true,
      lookup: (_host, _options, callback) => {
        const found = ['127.0.0.99', '127.0.0.1'].map(address => ({ address, family: 4 }));
        callback(null, found);
      },
    });
    // Node 20 to 26 differ in how: none of them has Multipath TCP to show for it.
    await Promise.race([once(socket, 'connect'), once(socket, 'error')]).catch(() => {});
    expect(socket.destroyed || info(socket).protocol === 'tcp').toBe(true);
  });

  test('takes a TCP handle of its own when a socket is connected again after a failure', async () => {
    const socket = wrapped();
    socket.connect({ host: '127.0.0.99', port: await listeningPort() });
    await once(socket, 'error');
    socket.connect({ host: '127.0.0.1', port: await listeningPort() });
    await once(socket, 'connect');
    expect(info(socket)).toMatchObject({ protocol: 'tcp', multipath: false });
  });

  test.each([
    [AF_INET, '::1'],
    [AF_INET6, '127.0.0.1'],
  ])('does not dial family %i to %s', async (family, host) => {
    const socket = wrapped(family);
    socket.connect({ host, port: await listeningPort() });
    const [error] = await once(socket, 'error');
    expect(['EAFNOSUPPORT', 'EINVAL']).toContain(error.code);
  });

  test('keeps the descriptor where fdOf finds it, for sockets and servers, as long as they are open', async () => {
    const server = net.createServer();
    expect(() => fdOf(server)).toThrow(expect.objectContaining({ code: 'MPTCP_NO_DESCRIPTOR' }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    expect(fdOf(server)).toBeGreaterThan(2);
    await closeServer(server);
    expect(() => fdOf(server)).toThrow();
  });
});
