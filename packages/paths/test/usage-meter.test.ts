import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Carried, UsageMeter } from '../src/tiers/usage-meter.ts';

let server: Server;
let accepted: Socket[];
let clock: SimulatedClock;
let carried: Carried[];
let meter: UsageMeter;
beforeEach(async () => {
  accepted = [];
  carried = [];
  clock = new SimulatedClock();
  server = createServer({ allowHalfOpen: true }, socket => {
    socket.on('error', () => {});
    accepted.push(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  meter = new UsageMeter({
    pathOf: ({ local: { address } }) => (address.startsWith('127.') ? 'wlan0' : undefined),
    onCarried: more => void carried.push(...more),
    pause: () => 100,
    clock,
  });
});
afterEach(() => {
  meter.close();
  for (const socket of accepted) socket.destroy();
  server.close();
});

async function open(): Promise<[client: Socket, peer: Socket]> {
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    allowHalfOpen: true,
  });
  client.on('error', () => {});
  const [[peer]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [Socket],
    unknown,
  ];
  return [client, peer];
}

async function send(from: Socket, to: Socket, bytes: number): Promise<void> {
  let left = bytes;
  const all = new Promise<void>(resolve => {
    to.on('data', function take(data: Buffer) {
      left -= data.length;
      if (left > 0) return;
      to.off('data', take);
      resolve();
    });
  });
  from.write(Buffer.alloc(bytes));
  await all;
}

const sumIn = () => carried.reduce((sum, { bytesIn }) => sum + bytesIn, 0);
const sumOut = () => carried.reduce((sum, { bytesOut }) => sum + bytesOut, 0);

describe('the meter', () => {
  it('counts both directions, a little more than the payload', async () => {
    const [client, peer] = await open();
    meter.watch(client);
    await send(peer, client, 1_000_000);
    await send(client, peer, 300_000);
    clock.advance(100);
    expect(sumIn()).toBeGreaterThan(1_000_000);
    expect(sumIn()).toBeLessThan(1_100_000);
    expect(sumOut()).toBeGreaterThan(300_000);
    expect(sumOut()).toBeLessThan(330_000);
    expect(new Set(carried.map(({ path }) => path))).toEqual(new Set(['wlan0']));
    client.destroy();
  });

  it('counts nothing twice', async () => {
    const [client, peer] = await open();
    meter.watch(client);
    meter.watch(client);
    await send(peer, client, 100_000);
    clock.advance(100);
    const first = sumIn();
    clock.advance(1000);
    meter.look();
    expect(sumIn()).toBe(first);
    client.destroy();
    await once(client, 'close');
    expect(sumIn()).toBe(first);
  });

  it('counts what came just before the end', async () => {
    const [client, peer] = await open();
    meter.watch(client);
    clock.advance(100);
    const ended = once(client, 'end');
    client.resume();
    peer.end(Buffer.alloc(200_000));
    await ended;
    expect(sumIn()).toBeGreaterThan(200_000);
    client.destroy();
  });

  it('counts what came just before it was destroyed', async () => {
    const [client, peer] = await open();
    meter.watch(client);
    clock.advance(100);
    await send(peer, client, 200_000);
    client.destroy();
    await once(client, 'close');
    expect(sumIn()).toBeGreaterThan(200_000);
  });

  it('waits as long as it is told, and not at all without connections', async () => {
    expect(clock.pending).toBe(0);
    const [client] = await open();
    meter.watch(client);
    const [second] = await open();
    clock.advance(99);
    const before = carried.length;
    meter.watch(second);
    clock.advance(1);
    // The second one must not have put off the look at the first one.
    expect(carried.length).toBeGreaterThan(before);
    client.destroy();
    second.destroy();
    await Promise.all([once(client, 'close'), once(second, 'close')]);
    clock.advance(100);
    expect(clock.pending).toBe(0);
  });

  it('names the connections of plain TCP that are stuck on a path', async () => {
    const [client] = await open();
    meter.watch(client);
    expect(meter.stuckOn('wlan0')).toEqual([]);
    meter.look();
    expect(meter.stuckOn('wlan0')).toEqual([client]);
    expect(meter.stuckOn('wwan0')).toEqual([]);
    client.destroy();
    await once(client, 'close');
    expect(meter.stuckOn('wlan0')).toEqual([]);
  });
});
