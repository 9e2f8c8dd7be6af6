import { once } from 'node:events';
import * as net from 'node:net';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  type ConnectOptions,
  connect,
  fdOf,
  type InfoReason,
  info,
  inNamespace,
  reasonText,
  type ServerOptions,
} from '../src/index.ts';
import { libc } from '../src/kernel/libc.ts';
import { readFullInfo, readSeparately } from '../src/kernel/read-mptcp.ts';
import { refusalReason } from '../src/reasons.ts';
import { TestNamespace } from './support/namespace.ts';
import { needsMptcp } from './support/requirements.ts';
import { connectedPair, type Pair, portOf, type Within } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** Where paths of this machine that other programs have set up do not join; root only can make it. */
const network = process.getuid?.() === 0 ? new TestNamespace() : undefined;
const alone: Within = work =>
  network === undefined ? work() : inNamespace(`/run/netns/${network.name}`, work);
afterAll(() => network?.[Symbol.dispose]());

async function pairOf(
  connectOptions: Partial<ConnectOptions> = {},
  serverOptions: ServerOptions = {},
): Promise<Pair> {
  return untilTheEnd(await connectedPair(connectOptions, serverOptions, alone));
}

/** Closes a pair after the test. */
function untilTheEnd(pair: Pair): Pair {
  cleanup.push(() => pair[Symbol.asyncDispose]());
  return pair;
}

/** Sends `count` bytes and waits until they are acknowledged as well as read. */
async function transfer(from: net.Socket, to: net.Socket, count: number): Promise<void> {
  let left = count;
  const read = new Promise<void>(resolve => {
    to.on('data', chunk => {
      left -= chunk.length;
      if (left === 0) resolve();
    });
  });
  from.write(Buffer.alloc(count));
  await read;
  await expect.poll(() => info(from).bytesAcked).toBe(count);
}

describe('info', () => {
  needsMptcp();

  test('counts the bytes of both directions, and of the subflow', async () => {
    const { client, accepted } = await pairOf();
    await transfer(client, accepted, 100_000);
    await transfer(accepted, client, 30_000);
    const seen = info(client);
    expect(seen).toMatchObject({
      bytesSent: 100_000,
      bytesReceived: 30_000,
      bytesAcked: 100_000,
      subflowCount: 1,
    });
    expect(seen.subflows[0]?.bytesReceived).toBe(30_000);
    expect(info(accepted)).toMatchObject({ bytesSent: 30_000, bytesReceived: 100_000 });
  });

  test('gives the ends, the state and the figures of every subflow', async () => {
    const { client, accepted } = await pairOf();
    await transfer(client, accepted, 1000);
    const [subflow] = info(client).subflows;
    expect(subflow).toMatchObject({
      local: { address: '127.0.0.1', port: client.localPort },
      remote: { address: '127.0.0.1', port: client.remotePort },
      state: 'established',
      retransmits: 0,
    });
    expect(subflow?.id).toBeTypeOf('number');
    expect(subflow?.rttMs).toBeGreaterThan(0);
    expect(subflow?.rttMs).toBeLessThan(1000);
    expect(subflow?.congestionWindow).toBeGreaterThan(0);
    expect(subflow?.segmentSize).toBeGreaterThan(500);
  });

  test('names the connection: the same token again and again, another one at the other end', async () => {
    const { client, accepted } = await pairOf();
    const { token } = info(client);
    expect(token).toBeTypeOf('number');
    expect(info(client).token).toBe(token);
    expect(info(accepted).token).not.toBe(token);
  });

  test('has the same answer from kernels without MPTCP_FULL_INFO', async () => {
    const { client, accepted } = await pairOf();
    await transfer(client, accepted, 5000);
    const fd = fdOf(client);
    const full = readFullInfo(libc(), fd);
    const separate = readSeparately(libc(), fd);
    expect(full?.subflows).toHaveLength(1);
    const still = { lastDataSentMs: 0, lastDataReceivedMs: 0, lastAckReceivedMs: 0 };
    expect({ ...separate?.info, ...still }).toEqual({ ...full?.info, ...still });
    const withoutId = full?.subflows.map(subflow => ({ ...subflow, ...still, id: undefined }));
    expect(separate?.subflows.map(subflow => ({ ...subflow, ...still }))).toEqual(withoutId);
  });

  test('tells the path of a plain TCP connection too', async () => {
    const { client, accepted } = await pairOf({ mptcp: false });
    await transfer(client, accepted, 2000);
    expect(info(client)).toMatchObject({
      protocol: 'tcp',
      subflowCount: 1,
      bytesSent: 2000,
      bytesAcked: 2000,
      subflows: [{ state: 'established', remote: { address: '127.0.0.1', port: client.remotePort } }],
    });
    expect(info(client).token).toBeUndefined();
  });

  test('works on sockets that were made elsewhere', async () => {
    const { server } = untilTheEnd(await connectedPair());
    const client = net.connect(portOf(server), '127.0.0.1');
    await once(client, 'connect');
    cleanup.push(() => client.destroy());
    expect(info(client)).toMatchObject({ protocol: 'tcp', reason: 'not-requested' });
  });

  test('stays true while the connection is being closed', async () => {
    const { client, accepted } = await pairOf({ allowHalfOpen: true }, { allowHalfOpen: true });
    client.resume();
    accepted.resume();
    client.end();
    await once(accepted, 'end');
    expect([info(client).reason, info(accepted).reason]).toEqual(['multipath', 'multipath']);
    accepted.pause();
    accepted.end();
    await once(client, 'end');
    // Node may have closed the client by now; the other end is still open as far as Node knows.
    expect(['multipath', 'closed']).toContain(info(accepted).reason);
  });

  test('after close gives what the last call saw', async () => {
    const { client, accepted } = await pairOf();
    await transfer(client, accepted, 4000);
    const before = info(client);
    client.destroy();
    expect(info(client)).toEqual({ ...before, reason: 'closed' });
    await once(client, 'close');
    expect(info(client)).toEqual({ ...before, reason: 'closed' });
  });

  test('after close without a call before knows little, but answers', async () => {
    const { client } = await pairOf();
    client.destroy();
    expect(info(client)).toMatchObject({
      protocol: 'mptcp',
      reason: 'closed',
      subflowCount: 0,
      subflows: [],
    });
  });

  test('does not ask a descriptor that belongs to somebody else by now', async () => {
    const pair = untilTheEnd(await connectedPair());
    const fd = fdOf(pair.client);
    pair.client.destroy();
    await once(pair.client, 'close');
    const reused = await connect({ host: '127.0.0.1', port: portOf(pair.server), mptcp: false });
    cleanup.push(() => reused.destroy());
    expect(fdOf(reused)).toBe(fd);
    expect(info(pair.client)).toMatchObject({ protocol: 'mptcp', reason: 'closed' });
    expect(() => fdOf(pair.client)).toThrow(expect.objectContaining({ code: 'MPTCP_NO_DESCRIPTOR' }));
  });

  test('costs little: a thousand calls leave no rubbish behind', async () => {
    const { client } = await pairOf();
    const measure = (): number => {
      globalThis.gc?.();
      return process.memoryUsage().arrayBuffers;
    };
    info(client);
    const before = measure();
    for (let i = 0; i < 1000; i++) info(client);
    expect(measure() - before).toBeLessThan(65_536);
  });
});

test('every reason has a sentence of its own', () => {
  const reasons: InfoReason[] = [
    'multipath',
    'not-requested',
    'unsupported-platform',
    'kernel-without-mptcp',
    'switched-off',
    'blocked',
    'peer-refused',
    'fallback',
    'closed',
  ];
  const texts = reasons.map(reasonText);
  expect(new Set(texts).size).toBe(reasons.length);
  for (const text of texts) expect(text).toMatch(/^[A-Z].*\.$/);
});

test.each([
  ['EPROTONOSUPPORT', 'kernel-without-mptcp'],
  ['EINVAL', 'kernel-without-mptcp'],
  ['ENOPROTOOPT', 'switched-off'],
  ['EACCES', 'blocked'],
  ['EPERM', 'blocked'],
  ['EMFILE', undefined],
  ['EAFNOSUPPORT', undefined],
])('a socket refused with %s means %s', (errno, reason) => {
  expect(refusalReason(errno)).toBe(reason);
});
