import { execFileSync } from 'node:child_process';
import cluster from 'node:cluster';
import { once } from 'node:events';
import * as net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  connect,
  createServer,
  getSocketOption,
  info,
  listen,
  listenerInfo,
  type ServerOptions,
} from '../src/index.ts';
import { needsMptcp } from './support/requirements.ts';
import { closeServer, portOf } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function serve(options: ServerOptions = {}, onConnection?: (socket: net.Socket) => void) {
  const server = await createServer(options, onConnection);
  cleanup.push(() => closeServer(server));
  return server;
}

/** Connects, and gives what the server saw of it. */
async function arrival(server: net.Server, host: string, mptcp = true): Promise<net.Socket> {
  const arrived = once(server, 'connection') as Promise<[net.Socket]>;
  const client = await connect({ host, port: portOf(server), mptcp });
  const [socket] = await arrived;
  socket.on('error', () => {});
  cleanup.push(() => {
    client.destroy();
    socket.destroy();
  });
  return socket;
}

describe('a server', () => {
  needsMptcp();

  test('takes Multipath TCP and TCP, and tells them apart', async () => {
    const server = await serve({ host: '127.0.0.1' });
    expect(listenerInfo(server)).toEqual({ protocol: 'mptcp', reason: 'peer-refused' });
    const multipath = info(await arrival(server, '127.0.0.1'));
    expect(multipath).toMatchObject({ protocol: 'mptcp', multipath: true, reason: 'multipath' });
    const plain = info(await arrival(server, '127.0.0.1', false));
    expect(plain).toMatchObject({ protocol: 'tcp', multipath: false, reason: 'peer-refused' });
  });

  test('has the kernel hold as many connections ready as it says', async () => {
    const server = await serve({ host: '127.0.0.1', mptcp: false, backlog: 700 });
    const listening = execFileSync('ss', ['-Hltn', `sport = :${portOf(server)}`], { encoding: 'utf8' });
    expect(listening.split(/\s+/)[2]).toBe('700');
  });

  test('without mptcp takes TCP only', async () => {
    const server = await serve({ host: '127.0.0.1', mptcp: false });
    expect(listenerInfo(server)).toEqual({ protocol: 'tcp', reason: 'not-requested' });
    expect(info(await arrival(server, '127.0.0.1'))).toMatchObject({
      protocol: 'tcp',
      reason: 'not-requested',
    });
  });

  test('listens on both families unless told where', async () => {
    const server = await serve();
    expect((await arrival(server, '127.0.0.1')).remoteAddress).toBe('::ffff:127.0.0.1');
    const v6 = await arrival(server, '::1');
    expect([v6.remoteAddress, info(v6).multipath]).toEqual(['::1', true]);
  });

  test('on IPv6 only leaves IPv4 to others', async () => {
    const server = await serve({ host: '::', ipv6Only: true });
    await serve({ host: '0.0.0.0', port: portOf(server) });
    await arrival(server, '::1');
  });

  test('shares its port when told to', async () => {
    const first = await serve({ host: '127.0.0.1', reusePort: true });
    const second = await serve({ host: '127.0.0.1', reusePort: true, port: portOf(first) });
    expect(portOf(second)).toBe(portOf(first));
    const alone = createServer({ host: '127.0.0.1', port: portOf(first) });
    await expect(alone).rejects.toMatchObject({ code: 'MPTCP_BIND_FAILED', errnoName: 'EADDRINUSE' });
  });

  test('can come back to its port at once, connections of before in TIME_WAIT or not', async () => {
    const first = await createServer({ host: '127.0.0.1' }, socket => socket.end());
    const port = portOf(first);
    const client = await connect({ host: '127.0.0.1', port });
    client.resume();
    await once(client, 'close');
    await closeServer(first);
    await serve({ host: '127.0.0.1', port });
  });

  test('takes the name of an address', async () => {
    const server = await serve({ host: 'localhost' });
    expect(['127.0.0.1', '::1']).toContain((server.address() as net.AddressInfo).address);
    await expect(createServer({ host: 'does-not-exist.invalid' })).rejects.toMatchObject({
      code: 'MPTCP_LOOKUP_FAILED',
    });
  });

  test('passes options of net on', async () => {
    const server = await serve({ host: '127.0.0.1', allowHalfOpen: true, pauseOnConnect: true });
    const socket = await arrival(server, '127.0.0.1');
    expect([socket.allowHalfOpen, socket.isPaused()]).toEqual([true, true]);
  });

  test('passes congestion control on to its connections', async () => {
    const server = await serve({ host: '127.0.0.1', congestion: 'reno', device: 'lo' });
    expect(getSocketOption(server, 'congestion')).toBe('reno');
    expect(getSocketOption(await arrival(server, '127.0.0.1'), 'congestion')).toBe('reno');
  });

  test('is closed by its signal', async () => {
    const aborter = new AbortController();
    const server = await createServer({ host: '127.0.0.1', signal: aborter.signal });
    const closed = once(server, 'close');
    aborter.abort();
    await closed;
    expect(server.listening).toBe(false);
    const reason = new Error('too late');
    await expect(createServer({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test.each([
    [{ host: '192.0.2.1' }, 'MPTCP_BIND_FAILED', 'EADDRNOTAVAIL'],
    [{ device: 'nowhere0' }, 'MPTCP_BIND_FAILED', 'ENODEV'],
    [{ congestion: 'telepathy' }, 'MPTCP_OPTION_FAILED', 'ENOENT'],
    [{ port: -1 }, 'MPTCP_ARGUMENT_INVALID', undefined],
    [{ port: 65_536 }, 'MPTCP_ARGUMENT_INVALID', undefined],
  ])('refuses %j', async (options, code, errnoName) => {
    const expected = { code, ...(errnoName === undefined ? {} : { errnoName }) };
    await expect(createServer(options)).rejects.toMatchObject(expected);
  });

  test('of any kind can be made to listen, once', async () => {
    const server = await listen(net.createServer(), { host: '127.0.0.1' });
    cleanup.push(() => closeServer(server));
    await expect(listen(server, { host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'MPTCP_ARGUMENT_INVALID',
    });
    expect((await arrival(server, '127.0.0.1')).remoteAddress).toBe('127.0.0.1');
  });

  test('in a worker of node:cluster says that it cannot be', async () => {
    const before = cluster.isWorker;
    Object.defineProperty(cluster, 'isWorker', { value: true, configurable: true, writable: true });
    try {
      await expect(createServer()).rejects.toMatchObject({ code: 'MPTCP_UNSUPPORTED' });
    } finally {
      Object.defineProperty(cluster, 'isWorker', { value: before, configurable: true, writable: true });
    }
  });

  test('that could not have one port can try another', async () => {
    const taken = await serve({ host: '127.0.0.1' });
    const server = net.createServer();
    await expect(listen(server, { host: '127.0.0.1', port: portOf(taken) })).rejects.toMatchObject({
      code: 'MPTCP_BIND_FAILED',
      errnoName: 'EADDRINUSE',
    });
    await listen(server, { host: '127.0.0.1' });
    cleanup.push(() => closeServer(server));
    expect(server.listenerCount('connection')).toBe(1);
    expect(info(await arrival(server, '127.0.0.1')).multipath).toBe(true);
  });
});
