import { once } from 'node:events';
import { type Logger, silentLogger, systemClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { openLane } from '../src/lanes/open-lane.ts';
import { RelayLink } from '../src/lanes/relay-link.ts';
import { gatewayLimits } from '../src/limits.ts';
import { someOf, tunnelTo } from './support/client.ts';
import { echoOrigin } from './support/origins.ts';
import { relayBehindLink } from './support/relay-behind-link.ts';
import { afterThisTest, startGateway, until } from './support/scope.ts';

describe('a relay of an older release, which has no sessions', () => {
  it('is used by HTTP/2, and said to be one: in the log once, and for each of its lanes', async () => {
    const { pairing } = await relayBehindLink({ sessions: false });
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) };
    const gateway = await startGateway({ relay: pairing, logger });
    const echo = await echoOrigin();
    const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
    socket.write('hello');
    expect((await someOf(socket, 5)).toString()).toBe('hello');
    await until(() => gateway.status().relay?.lanes.length === 2);
    expect(gateway.status().relay).toMatchObject({
      state: 'ready',
      lanes: [{ protocol: 'h2' }, { protocol: 'h2' }],
    });
    expect(warnings.filter(line => line.includes('older release'))).toHaveLength(1);
  });

  it('is left for sessions when it was renewed', async () => {
    const { relay, pairing, again } = await relayBehindLink({ sessions: false });
    const gateway = await startGateway({ relay: pairing });
    await until(() => gateway.status().relay?.lanes.length === 2);
    await relay.close(0);
    await again({ sessions: true });
    await until(
      () => gateway.status().relay?.lanes.some(({ protocol }) => protocol === 'manypath/1') === true,
    );
  });
});

describe('a gateway of an older release, which asks for no session', () => {
  it('is served by HTTP/2', async () => {
    const { relay, pairing } = await relayBehindLink();
    const link = new RelayLink({
      pairing,
      limits: gatewayLimits,
      clock: systemClock,
      logger: silentLogger,
      openLane: (options, signal) => openLane({ ...options, sessions: undefined }, signal),
    });
    afterThisTest(() => link.close());
    const echo = await echoOrigin();
    const target = { host: 'echo.example', port: echo.port };
    const { signal } = new AbortController();
    const tunnel = await link.open(target, { signal, firstBytes: new Uint8Array() });
    const stream = tunnel.asStream(() => {});
    stream.write('hello');
    expect(String((await once(stream, 'data'))[0])).toBe('hello');
    expect(link.status().lanes[0]?.protocol).toBe('h2');
    expect(relay.status()).toMatchObject({ carriers: 0, tunnels: 1 });
  });
});
