import { once } from 'node:events';
import { type Pairing, rateServicePath } from '@manypath/core';
import { expect, it } from 'vitest';
import { authorization, http2To } from './support/client.ts';
import { testRelay } from './support/relay.ts';

interface Asked {
  readonly method: string;
  readonly query?: string;
  readonly secret?: string;
  readonly body?: Buffer;
}

async function ask(pairing: Pairing, { method, query = '', secret, body }: Asked) {
  const session = await http2To(pairing);
  const stream = session.request({
    ':method': method,
    ':path': `${rateServicePath}${query}`,
    'proxy-authorization': authorization(pairing, secret),
  });
  stream.on('error', () => {});
  stream.end(body);
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }];
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return { status: headers[':status'], body: Buffer.concat(chunks) };
}

it('sends a paired gateway as many bytes as it asks for', async () => {
  const { pairing } = await testRelay();
  const { status, body } = await ask(pairing, { method: 'GET', query: '?bytes=300000' });
  expect({ status, bytes: body.length }).toEqual({ status: 200, bytes: 300_000 });
});

it('sends no more than its limit, and nothing for nonsense', async () => {
  const { pairing } = await testRelay({ limits: { rateProbeBytes: 10_000 } });
  for (const [query, bytes] of [
    ['?bytes=20000', 10_000],
    ['?bytes=-5', 0],
    ['?bytes=1e99', 0],
    ['?bytes=x', 0],
    ['', 0],
  ] as const) {
    const { body } = await ask(pairing, { method: 'GET', query });
    expect(body.length, query).toBe(bytes);
  }
});

it('tells how fast an upload arrived', async () => {
  const { pairing } = await testRelay();
  const { status, body } = await ask(pairing, { method: 'POST', body: Buffer.alloc(400_000) });
  expect(status).toBe(200);
  const { mbps } = JSON.parse(body.toString()) as { mbps: number | null };
  // Over loopback it may be over before there is anything to measure.
  if (mbps !== null) expect(mbps).toBeGreaterThan(10);
});

it('takes no upload beyond its limit', async () => {
  const { pairing } = await testRelay({ limits: { rateProbeBytes: 10_000 } });
  const session = await http2To(pairing);
  const stream = session.request({
    ':method': 'POST',
    ':path': rateServicePath,
    'proxy-authorization': authorization(pairing),
  });
  stream.on('error', () => {});
  const closed = new Promise(resolve => stream.once('close', resolve));
  stream.end(Buffer.alloc(2_000_000));
  await closed;
  expect(stream.rstCode === 0 && stream.readableEnded).toBe(false);
});

it('tells nothing to whoever has another secret', async () => {
  const { pairing } = await testRelay();
  const { status } = await ask(pairing, { method: 'GET', query: '?bytes=300000', secret: 'guessed' });
  expect(status).toBe(407);
});
