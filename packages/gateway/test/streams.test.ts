import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { closedPort } from './support/origins.ts';
import { afterThisTest, startGateway, until } from './support/scope.ts';
import {
  askForBody,
  askForStreams,
  bodyFields,
  StreamClient,
  streamFields,
} from './support/stream-client.ts';
import { relayHere, toLoopback } from './support/ways.ts';

/** A server on loopback, which takes connections for the test. */
async function server(): Promise<{ port: number; accepted: () => Promise<Socket> }> {
  const listening = createServer({ allowHalfOpen: true });
  const sockets: Socket[] = [];
  listening.on('connection', socket => sockets.push(socket.on('error', () => {})));
  listening.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  afterThisTest(() => {
    listening.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (listening.address() as AddressInfo).port,
    async accepted() {
      await until(() => sockets.length > 0);
      return sockets.shift() as Socket;
    },
  };
}

describe('the door for streams', () => {
  const without = async (change: Record<string, string | undefined>): Promise<string> => {
    const gateway = await startGateway();
    const fields = Object.entries({ ...streamFields(gateway), ...change });
    const given = fields.filter((field): field is [string, string] => field[1] !== undefined);
    return (await askForStreams(gateway, Object.fromEntries(given))).head.split('\r\n', 1)[0] ?? '';
  };

  it('lets the extension in', async () => {
    expect(await without({})).toBe('HTTP/1.1 101 Switching Protocols');
  });

  it.each([
    ['comes from a page', { Origin: 'https://evil.example' }],
    ['does not say where it comes from', { Origin: undefined }],
    ['does not know the token', { 'Sec-WebSocket-Protocol': 'manypath.streams.1, token.AAAA' }],
    ['has no token', { 'Sec-WebSocket-Protocol': 'manypath.streams.1' }],
    ['is no WebSocket', { Upgrade: undefined }],
    ['is of another version', { 'Sec-WebSocket-Version': '8' }],
  ])('stays shut for what %s', async (_, change) => {
    expect(await without(change)).toBe('HTTP/1.1 403 Forbidden');
  });
});

describe('the door for a body of frames', () => {
  const answerTo = async (
    change: Record<string, string | undefined>,
    name = 'ours',
    method = 'POST',
  ): Promise<string> => {
    const gateway = await startGateway();
    const fields = streamFields(gateway);
    const words = `session.ours, ${fields['Sec-WebSocket-Protocol']}`;
    await askForStreams(gateway, { ...fields, 'Sec-WebSocket-Protocol': words });
    const given = Object.entries({ ...bodyFields(gateway), ...change }).filter(
      (field): field is [string, string] => field[1] !== undefined,
    );
    const { head } = await askForBody(gateway, name, Object.fromEntries(given), method);
    return head.split('\r\n', 1)[0] ?? '';
  };

  it('lets the extension in that has a connection of that name', async () => {
    expect(await answerTo({})).toBe('HTTP/1.1 200 OK');
  });

  it.each([
    ['comes from a page', { Origin: 'https://evil.example' }, 'ours', 'POST'],
    ['does not say where it comes from', { Origin: undefined }, 'ours', 'POST'],
    ['does not know the token', { Authorization: 'Bearer AAAA' }, 'ours', 'POST'],
    ['has no token', { Authorization: undefined }, 'ours', 'POST'],
    ['names another connection', {}, 'theirs', 'POST'],
    ['names none', {}, '', 'POST'],
    ['only wants to get something', {}, 'ours', 'GET'],
  ])('stays shut for what %s', async (_, change, name, method) => {
    expect(await answerTo(change, name, method)).toBe('HTTP/1.1 403 Forbidden');
  });

  it('opens once for each connection, and ends together with it', async () => {
    const gateway = await startGateway();
    const client = await StreamClient.openWithBody(gateway);
    const { head } = await askForBody(gateway, 'ours', bodyFields(gateway));
    expect(head).toMatch(/^HTTP\/1.1 403/);
    const { port, accepted } = await server();
    await client.next(client.openStream(`127.0.0.1:${port}`, true), 'opened');
    const target = await accepted();
    client.body?.destroy();
    await client.ended();
    await until(() => target.closed);
  });
});

describe.each([
  ['', StreamClient.open],
  [', back in a body', StreamClient.openWithBody],
])('a stream through the gateway%s', (_, openClient) => {
  it('carries bytes both ways, and the end of each way for itself', async () => {
    const gateway = await startGateway();
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`127.0.0.1:${port}`, true);
    expect(await client.next(stream, 'opened')).toMatchObject({ remote: `127.0.0.1:${port}` });
    const socket = await accepted();
    client.send(stream, 'ping');
    expect(String((await once(socket, 'data'))[0])).toBe('ping');
    client.askInfo(stream);
    expect(JSON.parse((await client.next(stream, 'info')).text)).toMatchObject({ route: 'tcp', bytesOut: 4 });
    expect(gateway.status().connections).toMatchObject([{ dialect: 'stream', bytesOut: 4 }]);
    client.finish(stream);
    await once(socket, 'end');
    socket.end('pong');
    expect(Buffer.from((await client.next(stream, 'data')).bytes).toString()).toBe('pong');
    await client.next(stream, 'finish');
    await until(() => gateway.status().connections.length === 0);
  });

  it('says that the other side broke it off, or cannot be reached', async () => {
    const gateway = await startGateway();
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`127.0.0.1:${port}`, true);
    await client.next(stream, 'opened');
    (await accepted()).resetAndDestroy();
    expect(await client.next(stream, 'reset')).toMatchObject({ reason: 'broken' });
    const nowhere = client.openStream(`127.0.0.1:${await closedPort()}`, true);
    expect(await client.next(nowhere, 'reset')).toMatchObject({ reason: 'unreachable' });
  });

  it.each([
    ['was closed', false, false],
    ['has ended each way, and whose browser has gone,', true, false],
    ['was closed and goes over a relay', false, true],
    ['has ended each way over a relay, and whose browser has gone,', true, true],
  ])('that %s still delivers what was written to who reads it late', async (_, endsFirst, byRelay) => {
    const gateway = await startGateway(byRelay ? { relay: (await relayHere()).pairing } : {});
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const host = byRelay ? 'far.example' : '127.0.0.1';
    const stream = client.openStream(`${host}:${port}`, true);
    await client.next(stream, 'opened');
    const socket = await accepted();
    const text = 'x'.repeat(6_000_000);
    if (endsFirst) {
      socket.end();
      await client.next(stream, 'finish');
    }
    client.send(stream, text);
    client.finish(stream);
    if (!endsFirst) client.stop(stream);
    let got = 0;
    // What the server's kernel takes makes room for the rest, as far as that has not left the browser yet.
    while (client.queued(stream) > 0) {
      got += (socket.read() as Buffer | null)?.length ?? 0;
      await until(() => socket.readableLength > 0 || client.queued(stream) === 0);
    }
    if (endsFirst) client.close();
    await delay(300);
    const ended = new Promise<Error | undefined>(resolve =>
      socket.once('end', resolve).once('error', resolve),
    );
    socket.on('data', chunk => {
      got += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 2);
    });
    expect(await ended).toBeUndefined();
    expect(got).toBe(text.length);
  });

  it('that was closed is broken off for who goes on sending', async () => {
    const gateway = await startGateway();
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`127.0.0.1:${port}`, true);
    await client.next(stream, 'opened');
    const socket = await accepted();
    const send = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    };
    socket.on('drain', send);
    send();
    client.finish(stream);
    client.stop(stream);
    await until(() => socket.closed);
    await until(() => gateway.status().connections.length === 0);
  });

  it('that is broken off here is broken off there', async () => {
    const gateway = await startGateway();
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`127.0.0.1:${port}`, true);
    await client.next(stream, 'opened');
    const socket = await accepted();
    const broken = once(socket, 'error').catch(error => error);
    client.reset(stream);
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
  });

  it('does not reach this computer under a public name or address, unless that was allowed', async () => {
    const gateway = await startGateway({ lookup: toLoopback });
    const { port } = await server();
    const client = await openClient(gateway);
    for (const host of ['rebound.example', '127.0.0.1', '[::ffff:127.0.0.1]', '169.254.169.254']) {
      const stream = client.openStream(`${host}:${port}`);
      expect(await client.next(stream, 'reset')).toMatchObject({ reason: 'local' });
    }
    const allowed = client.openStream(`rebound.example:${port}`, true);
    await client.next(allowed, 'opened');
  });

  it('does not reach the network of a relay either, also of one that dials private addresses', async () => {
    const gateway = await startGateway({ relay: (await relayHere()).pairing });
    const { port } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`rebound.example:${port}`);
    expect(await client.next(stream, 'reset')).toMatchObject({ reason: 'denied' });
    const allowed = client.openStream(`rebound.example:${port}`, true);
    expect(await client.next(allowed, 'opened')).toMatchObject({ remote: `rebound.example:${port}` });
  });

  it('ends with the connection that carries it, which ends when what it carries makes no sense', async () => {
    const gateway = await startGateway();
    const { port, accepted } = await server();
    const client = await openClient(gateway);
    const stream = client.openStream(`127.0.0.1:${port}`, true);
    await client.next(stream, 'opened');
    const socket = await accepted();
    const closed = new Promise(resolve => socket.once('close', resolve));
    client.raw(Uint8Array.of(99, 0, 0, 0, 1));
    await client.ended();
    await closed;
  });
});
