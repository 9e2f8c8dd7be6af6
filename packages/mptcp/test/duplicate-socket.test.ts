import { once } from 'node:events';
import type { OnReadOpts, Socket } from 'node:net';
import * as tls from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { duplicateSocket, fdOf, info } from '../src/index.ts';
import { needsMptcp } from './support/requirements.ts';
import { connectedPair, openSockets, type Pair, textOf } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function pairOf(...options: Parameters<typeof connectedPair>): Promise<Pair> {
  const pair = await connectedPair(...options);
  cleanup.push(() => pair[Symbol.asyncDispose]());
  return pair;
}

function duplicated(...args: Parameters<typeof duplicateSocket>): Socket {
  const twin = duplicateSocket(...args);
  twin.on('error', () => {});
  cleanup.push(() => twin.destroy());
  return twin;
}

/** A static buffer of `size` bytes, and all that was read into it; `false` from `more` stops the reading. */
function collector(size: number, more: () => boolean = () => true) {
  const parts: string[] = [];
  const callback = (count: number, buffer: Uint8Array): boolean => {
    parts.push(Buffer.from(buffer.subarray(0, count)).toString());
    return more();
  };
  const onread: OnReadOpts = { buffer: new Uint8Array(size), callback };
  return { parts, onread };
}

describe('a duplicated socket', () => {
  needsMptcp();

  test('carries the connection on, and the first one is closed', async () => {
    const { client, accepted } = await pairOf();
    const before = info(accepted);
    const twin = duplicated(accepted);
    expect(accepted.destroyed).toBe(true);
    expect(info(twin)).toMatchObject({ multipath: true, token: before.token });
    expect([twin.remoteAddress, twin.remotePort]).toEqual(['127.0.0.1', client.localPort]);
    twin.end('from the twin');
    expect(await textOf(client)).toBe('from the twin');
  });

  test('of an accepted socket reads into a static buffer', async () => {
    const { client, accepted } = await pairOf({}, { pauseOnConnect: true });
    const { parts, onread } = collector(64);
    const twin = duplicated(accepted, { onread });
    twin.resume();
    client.end('static');
    await once(twin, 'end');
    expect(parts.join('')).toBe('static');
  });

  test('reads nothing before it is asked to', async () => {
    const { client, accepted } = await pairOf({}, { pauseOnConnect: true });
    const twin = duplicated(accepted);
    client.write('patience');
    await expect.poll(() => info(twin).bytesReceived).toBe(8);
    await new Promise(resolve => setImmediate(resolve));
    expect([twin.bytesRead, twin.readableLength]).toEqual([0, 0]);
    client.end();
    expect(await textOf(twin)).toBe('patience');
  });

  test('keeps its writing side after the end when told so', async () => {
    const { client, accepted } = await pairOf({ allowHalfOpen: true }, { allowHalfOpen: true });
    const twin = duplicated(accepted, { allowHalfOpen: true });
    twin.resume();
    client.end('question');
    await once(twin, 'end');
    twin.end('answer');
    expect(await textOf(client)).toBe('answer');
  });

  test('first gives what the first one had read and not delivered', async () => {
    const { client, accepted } = await pairOf();
    client.write('early ');
    await expect.poll(() => accepted.readableLength).toBe(6);
    const twin = duplicated(accepted);
    client.end('late');
    expect(await textOf(twin)).toBe('early late');
  });

  test('first gives it to onread in pieces of the buffer, and stops when told', async () => {
    const { client, accepted } = await pairOf();
    client.write('0123456789');
    await expect.poll(() => accepted.readableLength).toBe(10);
    let goOn = false;
    const { parts, onread } = collector(4, () => goOn);
    const twin = duplicated(accepted, { onread });
    client.end('abcdef');
    expect(parts).toEqual([]);
    twin.resume();
    expect(parts).toEqual(['0123']);
    twin.resume();
    expect(parts).toEqual(['0123', '4567']);
    goOn = true;
    twin.resume();
    await once(twin, 'end');
    expect(parts.join('')).toBe('0123456789abcdef');
  });

  test('is refused while written bytes wait', async () => {
    const { accepted, client } = await pairOf();
    client.pause();
    const chunk = Buffer.alloc(1 << 20);
    while (accepted.writableLength === 0) accepted.write(chunk);
    expect(() => duplicateSocket(accepted)).toThrow(expect.objectContaining({ code: 'MPTCP_SOCKET_BUSY' }));
    expect(accepted.destroyed).toBe(false);
  });

  test('is refused for closed sockets, and for TLS', async () => {
    const { client, accepted } = await pairOf();
    const secure = new tls.TLSSocket(client);
    secure.on('error', () => {});
    const refusal = expect.objectContaining({ code: 'MPTCP_NO_DESCRIPTOR' });
    expect(() => duplicateSocket(secure)).toThrow(refusal);
    accepted.destroy();
    expect(() => duplicateSocket(accepted)).toThrow(refusal);
    secure.destroy();
  });

  test('leaves no descriptor behind', async () => {
    const { accepted } = await pairOf();
    const before = openSockets();
    let socket = accepted;
    for (let i = 0; i < 500; i++) socket = duplicateSocket(socket);
    await expect.poll(openSockets).toBe(before);
    expect(() => fdOf(accepted)).toThrow();
    socket.destroy();
    await once(socket, 'close');
    expect(openSockets()).toBe(before - 1);
  });
});
