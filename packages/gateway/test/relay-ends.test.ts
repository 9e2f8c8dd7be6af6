import { describe, expect, it } from 'vitest';
import { allOf, connectStatus, someOf, tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { relayBehindLink } from './support/relay-behind-link.ts';
import { startGateway, until } from './support/scope.ts';

async function openTunnel() {
  const stage = await relayBehindLink();
  const gateway = await startGateway({ relay: stage.pairing });
  const echo = await echoOrigin();
  const target = { host: 'echo.example', port: echo.port };
  const socket = await tunnelTo(gateway.proxy, target);
  socket.write('before');
  await someOf(socket, 6);
  return { ...stage, gateway, target, socket };
}

describe('a relay that is about to end', () => {
  it('lets what is open go on, takes nothing new, and ends when nothing is open', async () => {
    const { relay, gateway, target, socket } = await openTunnel();
    const closed = relay.close(60_000);
    await until(() => gateway.status().relay?.lanes.every(({ state }) => state === 'draining') === true);
    expect(await connectStatus(gateway.proxy, `${target.host}:${target.port}`)).toBe('502');
    const answer = allOf(socket);
    socket.end('to the end');
    expect((await answer).toString()).toBe('to the end');
    await closed;
  });

  it('breaks off what is open when the time is up, so that nobody waits for it', async () => {
    const { relay, gateway, socket } = await openTunnel();
    const gone = new Promise<unknown>(resolve => socket.once('error', resolve));
    await relay.close(0);
    expect(await gone).toMatchObject({ code: 'ECONNRESET' });
    expect(gateway.status().connections).toEqual([]);
  });
});

describe('a relay that was started again', () => {
  it('serves new connections within a second, and what was open is broken off', async () => {
    const { relay, gateway, target, socket, again } = await openTunnel();
    const gone = new Promise<unknown>(resolve => socket.once('error', resolve));
    await relay.close(0);
    await gone;
    await again();
    const asked = () => connectStatus(gateway.proxy, `${target.host}:${target.port}`);
    await expect.poll(asked, { timeout: 1_000, interval: 20 }).toBe('200');
    const next = await tunnelTo(gateway.proxy, target);
    next.write('after');
    expect((await someOf(next, 5)).toString()).toBe('after');
  });
});
