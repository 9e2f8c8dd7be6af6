import { expect, it } from 'vitest';
import { echoOrigin } from './support/origins.ts';
import { relayBehindLink } from './support/relay-behind-link.ts';
import { startGateway, until } from './support/scope.ts';
import { StreamClient } from './support/stream-client.ts';

it('a stream of a web page goes on at the exact byte when its connections to the relay are lost, and there are none for a while', async () => {
  const { link, pairing } = await relayBehindLink();
  const gateway = await startGateway({ relay: pairing });
  const echo = await echoOrigin();
  const client = await StreamClient.open(gateway);
  const stream = client.openStream(`echo.example:${echo.port}`, true);
  await client.next(stream, 'opened');
  let came = '';
  const comes = async (text: string) => {
    client.send(stream, text);
    came = '';
    while (came.length < text.length) {
      const { bytes } = await client.next(stream, 'data');
      came += Buffer.from(bytes).toString();
      client.consumed(stream, bytes.length);
    }
    return came;
  };
  expect(await comes('before')).toBe('before');
  expect(gateway.status().connections).toMatchObject([{ dialect: 'stream', route: 'relay' }]);
  const unblock = link.block();
  link.cut();
  await until(() => gateway.status().connections[0]?.state === 'waiting');
  const answer = comes('meanwhile');
  unblock();
  expect(await answer).toBe('meanwhile');
});
