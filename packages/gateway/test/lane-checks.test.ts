import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import type { Gateway } from '../src/index.ts';
import { someOf, tunnelTo } from './support/client.ts';
import { echoOrigin, tcpOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';
import { StandInLink } from './support/stand-in-link.ts';
import { StandInRelay } from './support/stand-in-relay.ts';

/** A gateway whose way to the relay can go silent. */
async function overSilentLink(options: Parameters<typeof startGateway>[0]) {
  const relay = await StandInRelay.start();
  const link = await StandInLink.to({ host: '127.0.0.1', port: relay.port });
  const pairing = { ...relay.pairing, address: { host: '127.0.0.1', port: link.port } };
  const gateway = await startGateway({ relay: pairing, ...options });
  await until(() => lanesOf(gateway) === (options?.limits?.lanesLeast ?? 2));
  return { relay, link, gateway };
}

function lanesOf(gateway: Gateway): number {
  return gateway.status().relay?.lanes.length ?? 0;
}

describe('a lane that goes silent', () => {
  it('is avoided as soon as the network changed, and used again when it answers', async () => {
    const { relay, link, gateway } = await overSilentLink({ limits: { laneQuickAnswerMs: 100 } });
    const echo = await echoOrigin();
    const old = await tunnelTo(gateway.proxy, { host: 'old.example', port: echo.port });
    const before = [...relay.sessions];
    const speakAgain = link.fallSilent();
    gateway.networkChanged();
    // Other lanes are opened, and what is new goes over them.
    await until(() => lanesOf(gateway) > 2);
    const next = await tunnelTo(gateway.proxy, { host: 'new.example', port: echo.port });
    expect(before).not.toContain(relay.lanes.at(-1)?.session);
    next.write('new');
    expect((await someOf(next, 3)).toString()).toBe('new');
    // What was on the silent lane has lost nothing.
    old.write('old');
    speakAgain();
    expect((await someOf(old, 3)).toString()).toBe('old');
  });

  it('is given up with what it carries when it stays silent', async () => {
    const limits = { laneCheckMs: 50, laneAnswerMs: 50, laneSilenceMs: 400 };
    const { link, gateway } = await overSilentLink({ limits });
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    link.fallSilent();
    const broken = new Promise(resolve => socket.once('error', resolve));
    socket.resume();
    expect(await broken).toMatchObject({ code: 'ECONNRESET' });
    await until(() => gateway.status().relay?.state === 'ready' && lanesOf(gateway) >= 2);
  });

  it('is not doubted while bytes arrive on it, however late its answer is', async () => {
    const clock = new SimulatedClock();
    const oneLane = { lanesLeast: 1, bulkBytesPerSecond: Number.POSITIVE_INFINITY };
    const limits = { ...oneLane, laneCheckMs: 50, laneAnswerMs: 30, laneSilenceMs: 300 };
    const { link, gateway } = await overSilentLink({ limits, clock });
    const source = await tcpOrigin(socket => socket.once('data', () => socket.end(Buffer.alloc(4_000_000))));
    const socket = await tunnelTo(gateway.proxy, { host: 'source.example', port: source.port });
    socket.resume();
    // So much is on its way that what the relay answers comes far behind.
    const letPass = link.trickle();
    socket.write('go');
    for (let round = 0; round < 30; round++) {
      await letPass();
      await new Promise(resolve => setImmediate(resolve));
      clock.advance(20);
    }
    expect(lanesOf(gateway)).toBe(1);
  });
});
