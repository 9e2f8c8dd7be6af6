import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { allOf, someOf, tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { relayBehindLink } from './support/relay-behind-link.ts';
import { startGateway, until } from './support/scope.ts';

describe('tunnels through the relay', () => {
  it('go on at the exact byte when every connection to the relay is reset, again and again', async () => {
    const { link, pairing } = await relayBehindLink();
    const gateway = await startGateway({ relay: pairing });
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    const payload = randomBytes(40_000_000);
    let came = 0;
    socket.on('data', part => {
      const before = Math.floor(came / 6_000_000);
      came += part.length;
      if (Math.floor(came / 6_000_000) > before) link.cut();
    });
    const answer = allOf(socket);
    socket.end(payload);
    expect(payload.equals(await answer)).toBe(true);
    expect(gateway.status().totals).toMatchObject({ opened: 1, failed: 0 });
  });

  it('wait as long as there is no way to the relay, and go on when there is one', async () => {
    const { relay, link, pairing } = await relayBehindLink();
    const gateway = await startGateway({ relay: pairing });
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    socket.write('before');
    expect((await someOf(socket, 6)).toString()).toBe('before');
    const unblock = link.block();
    link.cut();
    await until(() => gateway.status().relay?.state === 'away');
    socket.write('meanwhile');
    await until(() => relay.status().connections === 0);
    const { connections, relay: told } = gateway.status();
    expect(connections).toMatchObject([{ state: 'waiting', multipath: false }]);
    expect(told).toMatchObject({ waiting: { connections: 1 }, resumed: 0 });
    expect(gateway.overview().relay).toMatchObject({ waiting: { connections: 1 } });
    const waitedMs = told?.waiting?.forMs ?? 0;
    unblock();
    expect((await someOf(socket, 9)).toString()).toBe('meanwhile');
    expect(gateway.status()).toMatchObject({
      connections: [{ state: 'open' }],
      relay: { waiting: null, resumed: 1 },
    });
    const resumed = gateway.events().find(({ kind }) => kind === 'resumed');
    expect(resumed?.text).toBe('a connection went on over a new connection to the relay');
    expect(resumed?.stallMs).toBeGreaterThanOrEqual(waitedMs);
    expect(relay.status()).toMatchObject({ tunnels: 1, tunnelsOpened: 1 });
  });

  it('leave connections that fall silent for new ones', async () => {
    const { link, pairing } = await relayBehindLink();
    const gateway = await startGateway({ relay: pairing });
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    socket.write('before');
    expect((await someOf(socket, 6)).toString()).toBe('before');
    await until(() => gateway.status().relay?.lanes.length === 2);
    link.fallSilent();
    socket.write('after');
    expect((await someOf(socket, 5)).toString()).toBe('after');
  });
});
