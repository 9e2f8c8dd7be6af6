import { connect, createServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { systemClock } from '@manypath/core';
import { expect, it } from 'vitest';
import type { Dialer, Dialled } from '../src/dialer.ts';
import type { TunnelWish } from '../src/front.ts';
import { Registry } from '../src/registry.ts';
import { serveTunnel } from '../src/tunnel.ts';
import { afterThisTest, until } from './support/scope.ts';

/** Takes bytes and never says that it has. */
class Stuck extends Duplex {
  override _read(): void {}
  override _write(): void {}
}

/** A tunnel whose first bytes cannot be written to the target. */
async function stuckTunnel() {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>(resolve => server.once('connection', resolve));
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  afterThisTest(() => {
    client.destroy();
    server.close();
  });
  const upstream = new Stuck();
  const dialled: Dialled = {
    stream: upstream,
    socket: client,
    relay: false,
    unsent: Uint8Array.of(1),
    begins: () => () => {},
  };
  const registry = new Registry(systemClock);
  const target = { host: 'a.example', port: 80 };
  const connection = registry.add(target, 'connect');
  const wish: TunnelWish = {
    socket: await accepted,
    target,
    dialect: 'connect',
    accept: () => {},
    refuse: () => {},
  };
  const dialer = { isSure: () => false, dial: async () => dialled } as unknown as Dialer;
  const over = serveTunnel(wish, dialer, connection);
  await until(() => upstream.writableLength > 0);
  return { client, upstream, registry, over };
}

it('ends a tunnel whose first bytes cannot be written when its client goes away', async () => {
  const { client, upstream, over } = await stuckTunnel();
  client.destroy();
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
