import { type Relay, startRelay } from '@manypath/relay';
import { expect, it } from 'vitest';
import { allOf, curl, tunnelTo, urlOf } from './support/client.ts';
import { closedPort, echoOrigin, httpOrigin } from './support/origins.ts';
import { afterThisTest, startGateway, temporaryFolder, until } from './support/scope.ts';

async function relayHere(): Promise<Relay> {
  const address = { host: '127.0.0.1', port: await closedPort() };
  const relay = await startRelay({
    listen: address,
    publicHost: address,
    stateDir: temporaryFolder(),
    allowPrivate: true,
    lookup: async () => [{ address: '127.0.0.1', family: 4 }],
  });
  afterThisTest(() => relay.close());
  return relay;
}

it('takes another relay while it runs: new connections use it, open ones stay, and the old lanes close after them', async () => {
  const [first, second] = [await relayHere(), await relayHere()];
  const gateway = await startGateway({ relay: first.pairing });
  const echo = await echoOrigin();
  const old = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
  const lanesOf = () => gateway.status().relay?.lanes ?? [];
  await until(() => lanesOf().length >= 2);

  gateway.route({ relay: second.pairing });
  await until(() => gateway.status().relay?.state === 'ready');
  expect(gateway.status().relay?.address).toBe(`127.0.0.1:${second.address.port}`);
  const fresh = await tunnelTo(gateway.proxy, { host: 'echo.example', port: echo.port });
  for (const socket of [old, fresh]) {
    const answer = allOf(socket);
    socket.end('still there');
    expect((await answer).toString()).toBe('still there');
  }
  await until(() => first.status().connections === 0);
});

it('goes straight when there is no relay any more, and takes other rules', async () => {
  const relay = await relayHere();
  const gateway = await startGateway({ relay: relay.pairing });
  const web = await httpOrigin((_, response) => response.end('here'));
  gateway.route({});
  expect(gateway.status().relay).toBeNull();
  const { stdout } = await curl('-x', urlOf(gateway), `http://127.0.0.1:${web.port}/`);
  expect(stdout).toBe('here');
});

it('keeps what it has when the new pairing cannot be read', async () => {
  const relay = await relayHere();
  const gateway = await startGateway({ relay: relay.pairing });
  expect(() => gateway.route({ relay: 'manypath://nonsense' })).toThrow();
  expect(gateway.status().relay?.address).toBe(`127.0.0.1:${relay.address.port}`);
});
