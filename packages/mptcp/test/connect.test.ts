import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ConnectError,
  type ConnectOptions,
  connect,
  createServer,
  fdOf,
  getSocketOption,
  info,
  type Lookup,
  mptcpLimits,
} from '../src/index.ts';
import { IPPROTO_TCP, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from '../src/kernel/constants.ts';
import { libc } from '../src/kernel/libc.ts';
import { needsMptcp } from './support/requirements.ts';
import { closeServer, connectedPair, portOf, textOf, unusedPort } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** A listener that echoes, closed after the test. */
async function echoPort(host = '127.0.0.1'): Promise<number> {
  const server = await createServer({ host }, socket => {
    socket.on('error', () => {});
    socket.pipe(socket);
    cleanup.push(() => socket.destroy());
  });
  cleanup.push(() => closeServer(server));
  return portOf(server);
}

async function dial(options: ConnectOptions) {
  const socket = await connect(options);
  cleanup.push(() => socket.destroy());
  return socket;
}

const names =
  (...addresses: string[]): Lookup =>
  async () =>
    addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 }));

describe('connect', () => {
  needsMptcp();

  test('gives an ordinary connected socket that is Multipath TCP', async () => {
    const socket = await dial({ host: '127.0.0.1', port: await echoPort() });
    expect([socket.connecting, socket.remoteAddress, socket.readyState]).toEqual([
      false,
      '127.0.0.1',
      'open',
    ]);
    expect(info(socket)).toMatchObject({ protocol: 'mptcp', multipath: true, reason: 'multipath' });
    socket.end('there and back');
    expect(await textOf(socket)).toBe('there and back');
  });

  test('leaves no listener of its own behind: errors are the business of the user', async () => {
    const socket = await dial({ host: '127.0.0.1', port: await echoPort() });
    expect(['connect', 'error', 'close'].map(event => socket.listenerCount(event))).toEqual([0, 0, 0]);
  });

  test('takes a name whose lookup is slow, without reading from the unconnected descriptor', async () => {
    const slow: Lookup = async () => {
      for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve));
      return [{ address: '127.0.0.1', family: 4 }];
    };
    const socket = await dial({ host: 'slow.test', port: await echoPort(), lookup: slow });
    expect(info(socket).multipath).toBe(true);
  });

  test('resolves names with the resolver of the system', async () => {
    const socket = await dial({ host: 'localhost', port: await echoPort(), family: 4 });
    expect(info(socket).multipath).toBe(true);
  });

  test('is Multipath TCP also when the first address failed', async () => {
    const port = await echoPort();
    const socket = await dial({ host: 'two.test', port, lookup: names('127.0.0.99', '127.0.0.1') });
    // 127.0.0.99 has no listener: Node would have gone on with a handle of its own, which is TCP.
    expect(socket.remoteAddress).toBe('127.0.0.1');
    expect(info(socket)).toMatchObject({ protocol: 'mptcp', multipath: true });
  });

  test('goes over to the other family', async () => {
    const port = await echoPort();
    const socket = await dial({ host: 'both.test', port, lookup: names('::1', '127.0.0.1') });
    expect([socket.remoteAddress, info(socket).multipath]).toEqual(['127.0.0.1', true]);
  });

  test.each([
    ['::1', '::1'],
    ['[::1]', '::1'],
  ])('takes the IPv6 literal %s', async (host, remote) => {
    const socket = await dial({ host, port: await echoPort('::1') });
    expect([socket.remoteAddress, info(socket).multipath]).toEqual([remote, true]);
  });

  test('takes an IPv4 address mapped into IPv6', async () => {
    const socket = await dial({ host: '::ffff:127.0.0.1', port: await echoPort() });
    expect(info(socket)).toMatchObject({ multipath: true, subflows: [{ remote: { address: '127.0.0.1' } }] });
  });

  test('takes addresses of the asked family only', async () => {
    const port = await echoPort();
    const lookup = names('::1', '127.0.0.1');
    expect((await dial({ host: 'both.test', port, lookup, family: 4 })).remoteAddress).toBe('127.0.0.1');
    await expect(connect({ host: 'both.test', port, lookup, family: 6 })).rejects.toMatchObject({
      code: 'MPTCP_CONNECT_FAILED',
      attempts: [{ address: '::1' }],
    });
  });

  test('makes plain TCP when told to', async () => {
    const socket = await dial({ host: '127.0.0.1', port: await echoPort(), mptcp: false });
    expect(info(socket)).toMatchObject({ protocol: 'tcp', multipath: false, reason: 'not-requested' });
  });

  test('knows a peer that does not speak Multipath TCP', async () => {
    const server = createTcpServer(socket => socket.pipe(socket)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup.push(() => closeServer(server));
    const socket = await dial({ host: '127.0.0.1', port: portOf(server) });
    expect(info(socket)).toMatchObject({ protocol: 'mptcp', multipath: false, reason: 'peer-refused' });
    socket.end('works all the same');
    expect(await textOf(socket)).toBe('works all the same');
  });

  test('leaves from the local address asked for', async () => {
    const pair = await connectedPair({ localAddress: '127.0.0.5' });
    cleanup.push(() => pair[Symbol.asyncDispose]());
    expect([pair.accepted.remoteAddress, info(pair.client).multipath]).toEqual(['127.0.0.5', true]);
  });

  test('leaves out addresses of another family than the local one', async () => {
    const port = await echoPort();
    const lookup = names('::1', '127.0.0.1');
    const tried: string[] = [];
    const filterAddress = (address: string): undefined => void tried.push(address);
    await dial({ host: 'both.test', port, lookup, localAddress: '127.0.0.1', filterAddress });
    expect(tried).toEqual(['127.0.0.1']);
  });

  test('leaves through the device asked for', async () => {
    const socket = await dial({ host: '127.0.0.1', port: await echoPort(), device: 'lo' });
    expect(info(socket).multipath).toBe(true);
  });

  test('hands data to onread', async () => {
    const got: string[] = [];
    const callback = (count: number, buffer: Uint8Array): boolean => {
      got.push(Buffer.from(buffer.subarray(0, count)).toString());
      return true;
    };
    const onread = { buffer: new Uint8Array(1024), callback };
    const socket = await dial({ host: '127.0.0.1', port: await echoPort(), onread });
    socket.end('static');
    await once(socket, 'end');
    expect(got.join('')).toBe('static');
  });

  test.each([true, false])(
    'keeps the write side open after the end when allowHalfOpen is %s',
    async allowHalfOpen => {
      const pair = await connectedPair({ allowHalfOpen }, { allowHalfOpen: true });
      cleanup.push(() => pair[Symbol.asyncDispose]());
      pair.accepted.end();
      pair.client.resume();
      await once(pair.client, 'end');
      await new Promise(resolve => setImmediate(resolve));
      expect(pair.client.writable).toBe(allowHalfOpen);
    },
  );

  test('sets congestion control and keep-alive on the descriptor', async () => {
    const keepAlive = { idle: 7_000, interval: 3_000, count: 2 };
    const socket = await dial({ host: '127.0.0.1', port: await echoPort(), congestion: 'reno', keepAlive });
    expect(getSocketOption(socket, 'congestion')).toBe('reno');
    const read = (name: number): number => libc().tryGetsockoptInt(fdOf(socket), IPPROTO_TCP, name);
    expect([read(TCP_KEEPIDLE), read(TCP_KEEPINTVL), read(TCP_KEEPCNT)]).toEqual([7, 3, 2]);
  });

  test('sends small writes at once, unless told otherwise, and lets Node change that', async () => {
    const port = await echoPort();
    const noDelay = (socket: Awaited<ReturnType<typeof dial>>): number =>
      libc().tryGetsockoptInt(fdOf(socket), IPPROTO_TCP, 1);
    const eager = await dial({ host: '127.0.0.1', port });
    const patient = await dial({ host: '127.0.0.1', port, noDelay: false });
    expect([noDelay(eager), noDelay(patient)]).toEqual([1, 0]);
    eager.setNoDelay(false);
    expect(noDelay(eager)).toBe(0);
  });
});

describe('connect fails', () => {
  needsMptcp();

  test('with the errors of all addresses', async () => {
    const port = await unusedPort();
    const failure: ConnectError = await connect({
      host: 'two.test',
      port,
      lookup: names('127.0.0.1', '::1'),
    }).catch(error => error);
    expect(failure).toMatchObject({
      name: 'ConnectError',
      code: 'MPTCP_CONNECT_FAILED',
      systemCode: 'ECONNREFUSED',
      attempts: [
        { address: '127.0.0.1', error: { code: 'ECONNREFUSED' } },
        { address: '::1', error: { code: 'ECONNREFUSED' } },
      ],
    });
    expect(failure.message).toContain('two.test');
    expect(failure.cause).toBeInstanceOf(AggregateError);
    expect((failure.cause as AggregateError).errors).toHaveLength(2);
  });

  test('when the name has no address', async () => {
    const nothing = connect({ host: 'none.test', port: 1, lookup: names() });
    await expect(nothing).rejects.toMatchObject({ code: 'MPTCP_LOOKUP_FAILED', host: 'none.test' });
    const cause = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
    const unknown = connect({ host: 'none.test', port: 1, lookup: () => Promise.reject(cause) });
    await expect(unknown).rejects.toMatchObject({ code: 'MPTCP_LOOKUP_FAILED', cause });
  });

  test('when the filter refuses every address, without a descriptor being made', async () => {
    const refusal = new Error('not that one');
    const refused = connect({
      host: 'inside.test',
      port: 1,
      lookup: names('127.0.0.1', '::1'),
      filterAddress: () => refusal,
    });
    await expect(refused).rejects.toMatchObject({ code: 'MPTCP_ADDRESS_REFUSED', cause: refusal });
  });

  test('but not when the filter refuses only some', async () => {
    const port = await echoPort();
    const seen: string[] = [];
    const socket = await dial({
      host: 'some.test',
      port,
      lookup: names('127.0.0.7', '127.0.0.1'),
      filterAddress(address) {
        seen.push(address);
        return address === '127.0.0.7' ? new Error('no') : undefined;
      },
    });
    expect([seen, socket.remoteAddress]).toEqual([['127.0.0.7', '127.0.0.1'], '127.0.0.1']);
  });

  test('after trying the families in turn', async () => {
    const tried: string[] = [];
    const lookup = names('127.0.0.2', '127.0.0.3', '::1');
    const filterAddress = (address: string): Error => {
      tried.push(address);
      return new Error('no');
    };
    await expect(connect({ host: 'both.test', port: 1, lookup, filterAddress })).rejects.toThrow();
    expect(tried).toEqual(['127.0.0.2', '::1', '127.0.0.3']);
  });

  test('after trying no more addresses than the limit', async () => {
    const lookup = names(...Array.from({ length: 100 }, (_, i) => `127.0.1.${i}`));
    const port = await unusedPort();
    await expect(connect({ host: 'many.test', port, lookup })).rejects.toMatchObject({
      attempts: { length: mptcpLimits.addressesPerName },
    });
    await expect(
      connect({ host: 'many.test', port, lookup, limits: { addressesPerName: 3 } }),
    ).rejects.toMatchObject({
      attempts: { length: 3 },
    });
  });

  test('the filter sees an IP literal too', async () => {
    const refused = connect({ host: '127.0.0.1', port: 1, filterAddress: () => new Error('no') });
    await expect(refused).rejects.toMatchObject({ code: 'MPTCP_ADDRESS_REFUSED' });
  });

  test.each([
    [{ localAddress: '192.0.2.1' }, 'MPTCP_BIND_FAILED', 'EADDRNOTAVAIL'],
    [{ localAddress: '::1' }, 'MPTCP_BIND_FAILED', 'EAFNOSUPPORT'],
    [{ device: 'nowhere0' }, 'MPTCP_BIND_FAILED', 'ENODEV'],
    [{ congestion: 'telepathy' }, 'MPTCP_OPTION_FAILED', 'ENOENT'],
  ])('for what %j asks of this machine', async (options, code, errnoName) => {
    await expect(connect({ host: '127.0.0.1', port: 1, ...options })).rejects.toMatchObject({
      code,
      errnoName,
    });
  });

  test.each([
    { port: 0 },
    { port: 65536 },
    { port: 1.5 },
    { host: '' },
    { localAddress: 'localhost' },
    { family: 6 as const },
  ])('for the mistake %j', async options => {
    await expect(connect({ host: '127.0.0.1', port: 80, ...options })).rejects.toMatchObject({
      code: 'MPTCP_ARGUMENT_INVALID',
    });
  });

  test('when names take longer than the timeout, and tells the resolver', async () => {
    let told: AbortSignal | undefined;
    const lookup: Lookup = (_, { signal }) => {
      told = signal;
      return new Promise(() => {});
    };
    await expect(connect({ host: 'slow.test', port: 1, lookup, timeout: 20 })).rejects.toMatchObject({
      code: 'MPTCP_CONNECT_TIMEOUT',
    });
    expect(told?.aborted).toBe(true);
  });

  test('with the reason of a signal: aborted before, while resolving, while connecting', async () => {
    const reason = new Error('changed my mind');
    const port = await echoPort();
    await expect(connect({ host: '127.0.0.1', port, signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );

    const resolving = new AbortController();
    const lookup: Lookup = () => new Promise(() => {});
    const waiting = connect({ host: 'slow.test', port, lookup, signal: resolving.signal });
    resolving.abort(reason);
    await expect(waiting).rejects.toBe(reason);

    const connecting = new AbortController();
    const dialling = connect({ host: '127.0.0.1', port, signal: connecting.signal });
    connecting.abort(reason);
    await expect(dialling).rejects.toBe(reason);
  });

  test('never once it is connected: a later abort is the business of the user', async () => {
    const aborter = new AbortController();
    const socket = await dial({ host: '127.0.0.1', port: await echoPort(), signal: aborter.signal });
    aborter.abort();
    await new Promise(resolve => setImmediate(resolve));
    expect(socket.destroyed).toBe(false);
  });
});
