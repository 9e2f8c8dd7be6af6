import { once } from 'node:events';
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, Socket } from 'node:net';
import { type Pairing, rateServicePath } from '@manypath/core';
import { expect, it, onTestFinished } from 'vitest';
import { serveRate } from '../src/rate-service.ts';
import { authorization, http2To, tlsTo } from './support/client.ts';
import { bytesHeld } from './support/memory.ts';
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

it('keeps no more of what it sends than has room on the way, however many are asked for', async () => {
  const { pairing } = await testRelay();
  const socket = await tlsTo(pairing, ['h2']);
  // With the windows that are usual, 64 KB in all.
  const session = connect('https://relay', { createConnection: () => socket });
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  const before = await bytesHeld();
  const streams = Array.from({ length: 32 }, () => {
    const stream = session.request({
      ':method': 'GET',
      ':path': `${rateServicePath}?bytes=4194304`,
      'proxy-authorization': authorization(pairing),
    });
    // Nobody reads them.
    stream.on('error', () => {});
    return stream;
  });
  await Promise.all(streams.map(stream => once(stream, 'response')));
  // 32 measurements of 4 MB are 128 MB.
  expect((await bytesHeld()) - before).toBeLessThan(16 << 20);
});

it('hands out enough at once that a busy relay is not taken for a slow path, but not all', async () => {
  const bytes = 4_194_304;
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  // Nothing can leave: what is handed out stays.
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    settings: { initialWindowSize: 0 },
  });
  onTestFinished(() => session.destroy());
  const request = session.request({ ':path': `${rateServicePath}?bytes=${bytes}` }).on('error', () => {});
  request.end();
  const [stream, headers] = (await once(server, 'stream')) as [ServerHttp2Stream, IncomingHttpHeaders];
  stream.on('error', () => {});
  serveRate(stream, headers, new Socket(), { rateProbeBytes: bytes });
  await once(request, 'response');
  // As much as arrives over 100 Mbit/s in 20 ms.
  expect(stream.writableLength).toBeGreaterThanOrEqual(250_000);
  expect(stream.writableLength).toBeLessThan(1_000_000);
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
