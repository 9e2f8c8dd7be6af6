import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { systemClock } from '@manypath/core';
import { expect, it } from 'vitest';
import type { Dialer } from '../src/dialer.ts';
import type { TunnelWish } from '../src/front.ts';
import { StreamTunnel } from '../src/lanes/stream-tunnel.ts';
import { Registry } from '../src/registry.ts';
import { serveTunnel } from '../src/tunnel.ts';
import type { Way } from '../src/ways/way.ts';
import { afterThisTest, until } from './support/scope.ts';

/** Takes bytes and never says that it has. */
class Stuck extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

/** A client that wants a tunnel, and what dials for it when the test says so. */
async function tunnelWish() {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve));
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1').on('error', () => {});
  afterThisTest(() => {
    client.destroy();
    server.close();
  });
  const registry = new Registry(systemClock);
  const target = { host: 'a.example', port: 80 };
  const refusals: unknown[] = [];
  const wish: TunnelWish = {
    socket: await accepted,
    target,
    dialect: 'connect',
    accept: () => {},
    refuse: error => void refusals.push(error),
  };
  let dialled: (way: Way) => void = () => {};
  const dial = () =>
    new Promise<Way>(resolve => {
      dialled = resolve;
    });
  const dialer = { isSure: () => false, dial, carriedByRelay: () => {} } as unknown as Dialer;
  const over = serveTunnel(wish, dialer, registry.add(target, 'connect'));
  const upstream = new Stuck();
  const open = () => dialled(new StreamTunnel(upstream, client, Promise.resolve()));
  return { client, upstream, registry, refusals, over, open };
}

/** The same when it is open, and the target takes nothing. */
async function stuckTunnel() {
  const tunnel = await tunnelWish();
  tunnel.open();
  tunnel.client.write('first words');
  await until(() => tunnel.upstream.writableLength > 0);
  return tunnel;
}

it('ends a tunnel whose target takes nothing when its client goes away', async () => {
  const { client, upstream, over } = await stuckTunnel();
  client.resetAndDestroy();
  await over;
  expect(upstream.destroyed).toBe(true);
});

it('ends it when the gateway ends', async () => {
  const { upstream, registry, over } = await stuckTunnel();
  registry.abortAll(new Error('the gateway ends'));
  await over;
  expect(upstream.destroyed).toBe(true);
  expect(registry.size).toBe(0);
});

it('breaks off a way that opens when its client has gone', async () => {
  const { client, upstream, registry, refusals, over, open } = await tunnelWish();
  client.resetAndDestroy();
  await new Promise(resolve => setImmediate(resolve));
  await until(() => client.closed);
  await new Promise(resolve => setTimeout(resolve, 20));
  open();
  await over;
  expect(upstream.destroyed).toBe(true);
  expect(registry.totals()).toMatchObject({ connections: 0, failed: 1 });
  expect(refusals).toHaveLength(1);
});

it('breaks off a way that opens when the gateway has ended', async () => {
  const { upstream, registry, over, open } = await tunnelWish();
  registry.abortAll(new Error('the gateway ends'));
  open();
  await over;
  expect(upstream.destroyed).toBe(true);
  expect(registry.size).toBe(0);
});
