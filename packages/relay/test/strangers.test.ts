import { once } from 'node:events';
import { connect as netConnect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { Authority, Logger, Pairing } from '@manypath/core';
import { expect, it, onTestFinished } from 'vitest';
import { connectHttp1, connectHttp2, http2To, tlsTo } from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

/** A bare TCP connection that sends nothing, from one of the addresses of loopback. */
async function silent({ host, port }: Authority, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = netConnect({ host, port, localAddress });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function over(socket: Socket): Promise<unknown> {
  if (socket.destroyed) return Promise.resolve();
  return new Promise(resolve => socket.resume().once('close', resolve));
}

async function expectToServe(pairing: Pairing): Promise<void> {
  const target = await echoOrigin();
  expect((await connectHttp1(pairing, target)).status).toBe(200);
  expect((await connectHttp2(await http2To(pairing), pairing, target)).status).toBe(200);
}

it('lets a user in from an address that has its share of silent connections', async () => {
  const { pairing, relay } = await testRelay({ limits: { arrivalsPerAddress: 4 } });
  const sockets: Socket[] = [];
  for (let at = 0; at < 12; at++) sockets.push(await silent(relay.address));
  await eventually(() => relay.status().strangers).toBe(4);
  await expectToServe(pairing);
  expect(sockets.filter(socket => !socket.destroyed).length).toBeLessThanOrEqual(4);
});

it('lets many connections begin at once where a user has come from before', async () => {
  const { pairing, relay } = await testRelay({ limits: { arrivalsPerAddress: 4 } });
  const target = await echoOrigin();
  await connectHttp1(pairing, target);
  const answers = await Promise.all(Array.from({ length: 60 }, () => connectHttp1(pairing, target)));
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
  expect(relay.status().connections).toBe(61);
  const waiting: Socket[] = [];
  for (let at = 0; at < 10; at++) waiting.push(await silent(relay.address));
  await eventually(() => relay.status().strangers).toBe(10);
  expect(waiting.filter(socket => socket.destroyed)).toEqual([]);
});

it('takes turns with others also where a user has come from before', async () => {
  const { pairing, relay } = await testRelay({ limits: { arrivals: 6, arrivalsPerAddress: 2 } });
  const target = await echoOrigin();
  await connectHttp1(pairing, target);
  for (let at = 0; at < 20; at++) await silent(relay.address);
  const other = await silent(relay.address, '127.0.0.2');
  await expectToServe(pairing);
  expect(other.destroyed).toBe(false);
});

it('lets a user in when others fill all the room that strangers have', async () => {
  const { pairing, relay } = await testRelay({
    limits: { arrivals: 6, arrivalsPerAddress: 4 },
  });
  for (let host = 2; host < 12; host++) {
    for (let at = 0; at < 4; at++) await silent(relay.address, `127.0.0.${host}`);
  }
  await eventually(() => relay.status().strangers).toBe(6);
  await expectToServe(pairing);
});

it('lets a user in from an address that has its share of connections with TLS, and others that go on coming', async () => {
  const { pairing, relay } = await testRelay({ limits: { strangersPerAddress: 6, stalledMs: 300 } });
  for (let at = 0; at < 6; at++) await tlsTo(pairing, at % 2 === 0 ? ['h2'] : ['http/1.1']);
  await new Promise(resolve => setTimeout(resolve, 400));
  const flood = setInterval(() => void silent(relay.address).catch(() => {}), 5);
  onTestFinished(() => clearInterval(flood));
  await expectToServe(pairing);
});

it('lets users in from an address from which others go on coming, some with TLS', async () => {
  const { pairing } = await testRelay({ limits: { strangers: 12, strangersPerAddress: 12 } });
  const keepComing = async (open: () => Promise<unknown>) => {
    let goesOn = true;
    onTestFinished(() => {
      goesOn = false;
    });
    while (goesOn) await open().catch(() => {});
  };
  for (let at = 0; at < 12; at++) await tlsTo(pairing);
  void keepComing(() => tlsTo(pairing));
  for (let at = 0; at < 3; at++) void keepComing(() => silent(pairing.address));
  for (let at = 0; at < 10; at++) await expectToServe(pairing);
});

it('gives up the one that came first, and none that has come further', async () => {
  const { pairing, relay } = await testRelay({ limits: { arrivalsPerAddress: 2 } });
  const secured = await tlsTo(pairing);
  const [first, second] = [await silent(relay.address), await silent(relay.address)];
  await eventually(() => relay.status().strangers).toBe(3);
  const third = await silent(relay.address);
  await over(first);
  expect([secured, second, third].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
  await silent(relay.address);
  await over(second);
  expect(secured.destroyed).toBe(false);
});

it('gives up the one with TLS that stalled first, and leaves those without it alone', async () => {
  const { pairing, relay } = await testRelay({ limits: { strangersPerAddress: 2 } });
  const bare = await silent(relay.address);
  const [first, second] = [await tlsTo(pairing), await tlsTo(pairing)];
  await eventually(() => relay.status().strangers).toBe(3);
  const third = await tlsTo(pairing);
  await over(first);
  expect([bare, second, third].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
});

it('takes from the address that has most', async () => {
  const { relay } = await testRelay({ limits: { arrivals: 4, arrivalsPerAddress: 3 } });
  const lone = await silent(relay.address, '127.0.0.2');
  const many = [await silent(relay.address), await silent(relay.address), await silent(relay.address)];
  await eventually(() => relay.status().strangers).toBe(4);
  await silent(relay.address, '127.0.0.3');
  await over(many[0] ?? lone);
  expect(lone.destroyed).toBe(false);
});

it('counts those who have shown the secret no more as strangers, and displaces none of them', async () => {
  const { pairing, relay } = await testRelay({ limits: { arrivals: 2, arrivalsPerAddress: 2 } });
  const target = await echoOrigin();
  const users = [];
  for (let at = 0; at < 5; at++) users.push((await connectHttp1(pairing, target)).socket);
  expect(relay.status()).toMatchObject({ connections: 5, strangers: 0 });
  for (let at = 0; at < 10; at++) await silent(relay.address);
  await eventually(() => relay.status()).toMatchObject({ connections: 7, strangers: 2 });
  for (const user of users) {
    user.write('still here');
    expect(String((await once(user, 'data'))[0])).toBe('still here');
  }
});

it('answers 503 to users for whom there is no room', async () => {
  const { pairing, relay } = await testRelay({ limits: { connectionsPerAddress: 2 } });
  const target = await echoOrigin();
  const first = (await connectHttp1(pairing, target)).socket;
  expect((await connectHttp1(pairing, target)).status).toBe(200);
  expect((await connectHttp1(pairing, target)).status).toBe(503);
  first.destroy();
  await eventually(() => relay.status().connections - relay.status().strangers).toBe(1);
  expect((await connectHttp1(pairing, target)).status).toBe(200);
});

it('closes at once what is no TLS, and what cannot become any', async () => {
  const { pairing, relay } = await testRelay();
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff', '\x16\x03\x01\0\0', '\0']) {
    const socket = await silent(relay.address);
    socket.write(bytes, 'latin1');
    await over(socket);
  }
  await expectToServe(pairing);
});

it('waits for the rest of a first message that comes byte by byte', async () => {
  const { pairing, relay } = await testRelay();
  const raw = await silent(relay.address);
  // What TLS sends goes through this, a byte at a time until the first record is over.
  const slow = new Duplex({
    read: () => void raw.resume(),
    write(chunk: Buffer, _encoding, done) {
      const sendFrom = (at: number): void => {
        if (at === chunk.length) done();
        else raw.write(chunk.subarray(at, at + 1), () => setImmediate(sendFrom, at + 1));
      };
      sendFrom(0);
    },
  });
  raw.on('data', bytes => slow.push(bytes)).setNoDelay(true);
  const socket = connectTls({ socket: slow, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  expect(relay.status().strangers).toBe(1);
  await expectToServe(pairing);
});

it('has the same short time for those without TLS, with HTTP/1.1 and with HTTP/2', async () => {
  const { pairing, relay } = await testRelay({ limits: { authenticateMs: 300 } });
  const bare = await silent(relay.address);
  const http1 = await tlsTo(pairing);
  const http2 = await tlsTo(pairing, ['h2']);
  // One request without the secret after the other buys no time.
  const asking = await tlsTo(pairing);
  const timer = setInterval(() => asking.write('GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n'), 50);
  onTestFinished(() => clearInterval(timer));
  await Promise.all([bare, http1, http2, asking].map(over));
  await eventually(() => relay.status().connections).toBe(0);
});

it('closes a connection of HTTP/1.1 after some tries', async () => {
  const { pairing } = await testRelay({ limits: { refusalsPerConnection: 3, firstRefusalDelayMs: 1 } });
  const socket = await tlsTo(pairing);
  let answers = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    answers += text;
  });
  const answered = () => answers.split('HTTP/1.1 407').length - 1;
  for (let attempt = 1; attempt <= 3; attempt++) {
    socket.write('GET http://a/ HTTP/1.1\r\nHost: a\r\nProxy-Authorization: Basic eDp5\r\n\r\n');
    if (attempt < 3) await eventually(answered).toBe(attempt);
  }
  await over(socket);
  expect(answered()).toBe(2);
});

it('tells in one line of many that were turned away, and names where wrong secrets came from', async () => {
  const lines: { message: string; fields: object }[] = [];
  const line = (fields: object, message: string) => void lines.push({ message, fields });
  const logger: Logger = { debug() {}, info() {}, warn: line };
  const { pairing, relay } = await testRelay({
    logger,
    limits: { arrivalsPerAddress: 6, firstRefusalDelayMs: 1, longestRefusalDelayMs: 1 },
  });
  for (let at = 0; at < 30; at++) await silent(relay.address, '127.0.0.2');
  for (let at = 0; at < 5; at++) await connectHttp1(pairing, 'a:1', { secret: `guess-${at}` });
  expect(lines).toEqual([
    {
      message: expect.stringContaining('to make room'),
      fields: { times: 1, address: '127.0.0.2', addresses: 1 },
    },
    {
      message: 'a client had a wrong secret',
      fields: { times: 1, address: '127.0.0.1', addresses: 1 },
    },
  ]);
  await relay.close(0);
  expect(lines.slice(2).map(({ fields }) => fields)).toEqual(
    expect.arrayContaining([
      { times: 23, address: '127.0.0.2', addresses: 1 },
      { times: 4, address: '127.0.0.1', addresses: 1 },
    ]),
  );
});
