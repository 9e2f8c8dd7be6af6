import { once } from 'node:events';
import type * as net from 'node:net';
import * as tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/**
 * What the package does where the kernel cannot be called. The platform is looked at on first use, so this file
 * tells another one before it uses anything; from there on everything is real.
 */
const platform = Object.getOwnPropertyDescriptor(process, 'platform');
const mptcp = await import('../src/index.ts');

beforeAll(() => {
  Object.defineProperty(process, 'platform', { ...platform, value: 'darwin' });
  expect(() => mptcp.inNamespace(1, () => {})).toThrow(/darwin/);
  if (platform !== undefined) Object.defineProperty(process, 'platform', platform);
});

let server: net.Server;
let port: number;
beforeAll(async () => {
  server = await mptcp.createServer({ host: '127.0.0.1' }, socket =>
    socket.on('error', () => {}).pipe(socket),
  );
  port = (server.address() as net.AddressInfo).port;
});
afterAll(() => void server.close());

describe('away from Linux', () => {
  test('connect and createServer are plain TCP, and say why', async () => {
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    const socket = await mptcp.connect({ host: '127.0.0.1', port });
    const [peer] = await accepted;
    const expected = { protocol: 'tcp', multipath: false, reason: 'unsupported-platform' };
    expect(mptcp.info(socket)).toMatchObject(expected);
    expect(mptcp.info(peer)).toMatchObject(expected);
    expect(mptcp.listenerInfo(server)).toEqual({ protocol: 'tcp', reason: 'unsupported-platform' });
    socket.end('still here');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    expect(Buffer.concat(chunks).toString()).toBe('still here');
    expect(mptcp.info(socket)).toMatchObject({ reason: 'closed', bytesSent: 10, bytesReceived: 10 });
  });

  test('a TLS socket on top has the same reason', async () => {
    const socket = await mptcp.connect({ host: '127.0.0.1', port });
    const secure = tls.connect({ socket });
    secure.on('error', () => {});
    expect(mptcp.info(secure).reason).toBe('unsupported-platform');
    secure.destroy();
  });

  test('names are raced all the same', async () => {
    const lookup = async () => [
      { address: '127.0.0.99', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    const socket = await mptcp.connect({ host: 'two.test', port, lookup });
    expect(socket.remoteAddress).toBe('127.0.0.1');
    socket.destroy();
  });

  test('localAddress works', async () => {
    const accepted = once(server, 'connection') as Promise<[net.Socket]>;
    const socket = await mptcp.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.6' });
    expect((await accepted)[0].remoteAddress).toBe('127.0.0.6');
    socket.destroy();
  });

  test('a local address that is not to be had is told as on Linux', async () => {
    await expect(mptcp.connect({ host: '127.0.0.1', port, localAddress: '192.0.2.1' })).rejects.toMatchObject(
      {
        code: 'MPTCP_CONNECT_FAILED',
        systemCode: 'EADDRNOTAVAIL',
      },
    );
  });

  test('not asking for it is told as such', async () => {
    const socket = await mptcp.connect({ host: '127.0.0.1', port, mptcp: false });
    expect(mptcp.info(socket).reason).toBe('not-requested');
    socket.destroy();
  });

  test('options of Linux are refused with a clear error', async () => {
    const code = 'MPTCP_UNSUPPORTED';
    for (const option of [{ device: 'eth0' }, { congestion: 'cubic' }]) {
      await expect(mptcp.connect({ host: '127.0.0.1', port, ...option })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(Object.keys(option)[0] ?? ''),
      });
    }
    for (const option of [{ device: 'eth0' }, { congestion: 'cubic' }, { reusePort: true }]) {
      await expect(mptcp.createServer({ host: '127.0.0.1', ...option })).rejects.toMatchObject({ code });
    }
    const socket = await mptcp.connect({ host: '127.0.0.1', port });
    expect(() => mptcp.setSocketOption(socket, 'mark', 1)).toThrow(expect.objectContaining({ code }));
    expect(() => mptcp.duplicateSocket(socket)).toThrow(expect.objectContaining({ code }));
    expect(mptcp.originalDestination(socket)).toBeUndefined();
    socket.destroy();
  });

  test('a taken port is told as on Linux', async () => {
    await expect(mptcp.createServer({ host: '127.0.0.1', port })).rejects.toMatchObject({
      code: 'MPTCP_BIND_FAILED',
      errnoName: 'EADDRINUSE',
    });
  });
});
