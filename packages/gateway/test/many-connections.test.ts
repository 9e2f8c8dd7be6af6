import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { someOf, tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';
import { StandInRelay } from './support/stand-in-relay.ts';

const many = 2000;

describe(`${many} connections at once`, () => {
  it('are open, carry bytes, and are gone when they are closed', { timeout: 60_000 }, async () => {
    const gateway = await startGateway();
    const origin = await echoOrigin();
    const sockets = await openMany(() => tunnelTo(gateway.proxy, origin));
    expect(gateway.status().connections).toHaveLength(many);
    await echoAll(sockets);
    for (const socket of sockets) socket.destroy();
    await until(() => gateway.status().connections.length === 0);
    expect(gateway.status().totals).toMatchObject({
      opened: many,
      failed: 0,
      bytesIn: many * 2,
      bytesOut: many * 2,
    });
  });

  it('go through a handful of lanes', { timeout: 60_000 }, async () => {
    const relay = await StandInRelay.start({ maxConcurrentStreams: 2048 });
    const gateway = await startGateway({ relay: relay.pairing });
    await until(() => gateway.status().relay?.lanes.length === 2);
    const origin = await echoOrigin();
    const sockets = await openMany(at =>
      tunnelTo(gateway.proxy, { host: `host-${at % 50}.example`, port: origin.port }),
    );
    expect(gateway.status().connections).toHaveLength(many);
    expect(gateway.status().relay?.lanes.length).toBeLessThanOrEqual(8);
    await echoAll(sockets);
    for (const socket of sockets) socket.destroy();
    await until(() => gateway.status().connections.length === 0);
  });

  it('end when the gateway is closed', async () => {
    const gateway = await startGateway();
    const origin = await echoOrigin();
    const sockets = await openMany(() => tunnelTo(gateway.proxy, origin), 200);
    const gone = Promise.all(sockets.map(socket => new Promise(resolve => socket.once('close', resolve))));
    for (const socket of sockets) socket.resume();
    await gateway.close();
    await gone;
    await expect(tunnelTo(gateway.proxy, origin)).rejects.toThrow();
  });
});

async function openMany(open: (at: number) => Promise<Socket>, count = many): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: 100 }, (_, at) => open(sockets.length + at));
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

async function echoAll(sockets: readonly Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async socket => {
      socket.write('hi');
      if ((await someOf(socket, 2)).toString() !== 'hi') throw new Error('not what was sent');
    }),
  );
}
