import { randomBytes } from 'node:crypto';
import { SimulatedClock } from '@manypath/core';
import { type Relay, type RelayOptions, startRelay } from '@manypath/relay';
import { describe, expect, it } from 'vitest';
import { gatewayLimits } from '../src/index.ts';
import { allOf, connectStatus, curl, tunnelTo, urlOf } from './support/client.ts';
import { closedPort, echoOrigin, httpOrigin } from './support/origins.ts';
import { afterThisTest, startGateway, temporaryFolder, until } from './support/scope.ts';

/** Every name leads to this machine, so that nothing leaves it. */
const toLoopback = async () => [{ address: '127.0.0.1', family: 4 }];

async function relayHere(options: Partial<RelayOptions> = {}): Promise<Relay> {
  const port = options.listen?.port ?? (await closedPort());
  const address = { host: '127.0.0.1', port };
  const relay = await startRelay({
    listen: address,
    publicHost: address,
    stateDir: temporaryFolder(),
    allowPrivate: true,
    lookup: toLoopback,
    ...options,
  });
  afterThisTest(() => relay.close());
  return relay;
}

describe('a gateway with a Manypath relay', () => {
  it('carries tunnels and plain requests over MPTCP lanes', async () => {
    const relay = await relayHere();
    const gateway = await startGateway({ relay: relay.pairing });
    const echo = await echoOrigin();
    const web = await httpOrigin((message, response) => message.pipe(response));
    const payload = randomBytes(20_000_000);
    for (let round = 0; round < 2; round++) {
      const socket = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
      const answer = allOf(socket);
      socket.end(payload);
      expect(payload.equals(await answer)).toBe(true);
      const { stdout } = await curl(
        '-x',
        urlOf(gateway),
        '-d',
        `round ${round}`,
        `http://web.example:${web.port}/`,
      );
      expect(stdout).toBe(`round ${round}`);
    }
    await until(() => (gateway.status().relay?.lanes.length ?? 0) >= 2);
    const lanes = gateway.status().relay?.lanes ?? [];
    expect(lanes.every(({ mptcp }) => mptcp)).toBe(true);
    expect(gateway.status().totals).toMatchObject({ opened: 4, failed: 0 });
  });

  it('tells what the relay says of targets that cannot be reached or must not be', async () => {
    const relay = await relayHere({ allowPrivate: false });
    const gateway = await startGateway({ relay: relay.pairing });
    const inward = await curl('-i', '-x', urlOf(gateway), 'http://inward.example:9/');
    expect(inward.stdout).toMatch(/^HTTP\/1.1 403 /);
    expect(inward.stdout).toContain('MANYPATH_RELAY_TARGET');
    expect(await connectStatus(gateway.proxy, 'inward.example:9')).toBe('403');
  });

  it('gets over a relay that is restarted', async () => {
    const stateDir = temporaryFolder();
    const first = await relayHere({ stateDir });
    const clock = new SimulatedClock();
    const gateway = await startGateway({ relay: first.pairing, clock });
    const echo = await echoOrigin();
    const target = { host: 'echo.example', port: echo.port };
    const open = await tunnelTo(gateway.proxy, target);
    const ended = new Promise(resolve => open.once('close', resolve).once('end', resolve));
    open.resume();
    await first.close();
    await ended;
    await until(() => gateway.status().relay?.state === 'away');
    const away = await curl('-i', '-x', urlOf(gateway), 'http://some.example/');
    expect(away.stdout).toMatch(/^HTTP\/1.1 502 /);
    expect(away.stdout).toContain('MANYPATH_RELAY_AWAY');

    const second = await relayHere({ stateDir, listen: first.address });
    expect(second.pairing).toBe(first.pairing);
    clock.advance(gatewayLimits.demandRetryMs);
    const socket = await tunnelTo(gateway.proxy, target);
    socket.end('back');
    expect((await allOf(socket)).toString()).toBe('back');
  });

  it('is refused with another secret', async () => {
    const relay = await relayHere();
    const gateway = await startGateway({ relay: relay.pairing.replace(/:\/\/[^@]*@/, '://wrong@') });
    await until(() => gateway.status().relay?.state === 'refused');
    expect(await connectStatus(gateway.proxy, 'some.example:80')).toBe('502');
  });
});
