import { expect, it } from 'vitest';
import { tcpOrigin } from './support/origins.ts';
import { relayBehindLink } from './support/relay-behind-link.ts';
import { startGateway } from './support/scope.ts';
import { StreamClient } from './support/stream-client.ts';

it('a stream of a web page through the relay comes to its last byte, in pieces of any size', async () => {
  const { pairing } = await relayBehindLink();
  const gateway = await startGateway({ relay: pairing });
  const length = 24_000_000;
  const origin = await tcpOrigin(socket => void socket.end(Buffer.alloc(length, 'x')));
  const client = await StreamClient.open(gateway);
  const stream = client.openStream(`source.example:${origin.port}`, true);
  await client.next(stream, 'opened');
  let came = 0;
  while (came < length) {
    const { bytes } = await client.next(stream, 'data');
    came += bytes.length;
    client.consumed(stream, bytes.length);
  }
  expect(came).toBe(length);
});
