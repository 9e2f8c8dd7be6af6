import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { relayBytes } from '../src/index.ts';
import { legKinds } from './legs.ts';
import { answerTo, eventually, rawClient, statusIn } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { testFront } from './support/front.ts';
import { httpOrigin, listening, nowhere, rawOrigin, tcpOrigin } from './support/origins.ts';

const webSocket = [
  'Host: elsewhere.example',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');
/** "hi" as a client frames it, with a mask of zeros, and as a server does; RFC 6455 §5.2. */
const clientFrame = '\x81\x82\0\0\0\0hi';
const serverFrame = '\x81\x02hi';

async function webSocketEcho() {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', socket => {
    socket.on('message', data => socket.send(String(data)));
  });
  return listening(server);
}

describe('a request to upgrade', () => {
  it('opens a WebSocket, both ways', async () => {
    const proxy = await testFront();
    const { place } = await webSocketEcho();
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/chat HTTP/1.1\r\n${webSocket}`);
    const head = await client.until('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(head).toMatch(/\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
    client.send(clientFrame);
    await client.until(serverFrame);
  });

  it('may come with the first bytes of the new protocol, and be answered with some', async () => {
    const proxy = await testFront();
    const { place } = await tcpOrigin(socket => {
      socket.on('data', bytes => {
        const text = bytes.toString('latin1');
        if (text.includes('HTTP/1.1')) {
          socket.write('HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome;');
        }
        if (text.endsWith('early')) socket.end('bye');
      });
    });
    const answer = await answerTo(proxy, `GET http://${place}/ HTTP/1.1\r\n${webSocket}early`);
    expect(answer).toMatch(/^HTTP\/1\.1 101 Go\r\n(.+\r\n)+\r\nwelcome;bye$/);
  });

  it('may come on a connection that has carried other requests', async () => {
    const proxy = await testFront();
    const plain = await httpOrigin((_request, response) => void response.end('first'));
    const { place } = await webSocketEcho();
    const client = await rawClient(proxy);
    client.send(`GET http://${plain.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('first');
    client.send(`GET http://${place}/chat HTTP/1.1\r\n${webSocket}`);
    await client.until('\r\n\r\n');
    client.send(clientFrame);
    await client.until(serverFrame);
  });

  it('that the origin ignores is answered like any other, and the connection is closed', async () => {
    const proxy = await testFront();
    const { place } = await httpOrigin((_request, response) => void response.end('no'));
    const answer = await answerTo(proxy, `GET http://${place}/ HTTP/1.1\r\n${webSocket}`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('\r\nConnection: close\r\n');
    expect(answer).toMatch(/no\r\n0\r\n\r\n$|\r\nno$/);
  });

  it('with a body is passed on as a plain request: this proxy does not upgrade then', async () => {
    const proxy = await testFront();
    const seen: unknown[] = [];
    const { place } = await httpOrigin((request, response) => {
      request.setEncoding('latin1').on('data', text => seen.push([request.headers.upgrade, text]));
      request.once('end', () => response.end(`got it at ${request.url}`));
    });
    const client = await rawClient(proxy);
    for (const body of [
      'Content-Length: 4\r\n\r\nbody',
      'Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
    ]) {
      client.send(
        `POST http://${place}/h2c HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n` +
          `HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n${body}`,
      );
      expect(await client.until('got it at /h2c')).toMatch(/HTTP\/1\.1 200 OK\r\n/);
    }
    expect(seen).toEqual([
      [undefined, 'body'],
      [undefined, 'body'],
    ]);
  });

  it('is answered 502 when nobody is there', async () => {
    const proxy = await testFront();
    const answer = await answerTo(proxy, `GET http://${await nowhere()}/ HTTP/1.1\r\n${webSocket}`);
    expect(statusIn(answer)).toBe(502);
  });

  for (const kind of Object.keys(legKinds)) {
    it(`is carried to an origin behind a leg of ${kind}`, async () => {
      const { near, far, close } = await (legKinds[kind] as (typeof legKinds)['tcp'])();
      const proxy = await testFront({ dial: async () => near });
      const origin = await webSocketEcho();
      void joinTo(far, origin.place);
      const client = await rawClient(proxy);
      client.send(`GET http://origin.example/chat HTTP/1.1\r\n${webSocket}`);
      expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 101 /);
      for (let round = 0; round < 3; round++) {
        client.send(clientFrame);
        await client.until(serverFrame);
      }
      client.socket.destroy();
      await eventually(() => origin.sockets.every(({ destroyed }) => destroyed)).toBe(true);
      close();
    });
  }

  it('leaves nothing behind when both sides have ended', async () => {
    const proxy = await testFront();
    const { place, sockets } = await webSocketEcho();
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/chat HTTP/1.1\r\n${webSocket}`);
    await client.until('\r\n\r\n');
    client.socket.destroy();
    await eventually(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('is ended with the front', async () => {
    const proxy = await testFront();
    const { place, sockets } = await webSocketEcho();
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/chat HTTP/1.1\r\n${webSocket}`);
    await client.until('\r\n\r\n');
    proxy.front.close();
    await client.all();
    await eventually(() => sockets.every(({ destroyed }) => destroyed)).toBe(true);
  });

  it('may be given up with a reset while the origin is dialled', async () => {
    const dialling = deferred<void>();
    const proxy = await testFront({
      dial: () => {
        dialling.resolve();
        return new Promise<never>(() => {});
      },
    });
    const client = await rawClient(proxy);
    client.send(`GET http://origin.example/ HTTP/1.1\r\n${webSocket}`);
    await dialling.promise;
    client.socket.resetAndDestroy();
    await eventually(() => proxy.clients.size).toBe(0);
  });
});

describe('an origin that switches protocols unasked', () => {
  it('is not followed: 502', async () => {
    const proxy = await testFront();
    const { place, sockets } = await rawOrigin(
      'HTTP/1.1 101 Hello\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nunasked',
    );
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusIn(answer)).toBe(502);
    expect(answer).not.toContain('unasked');
    await eventually(() => sockets[0]?.readableEnded || sockets[0]?.destroyed).toBe(true);
  });
});

async function joinTo(far: Duplex, place: string): Promise<void> {
  const [host = '', port] = place.split(':');
  const socket = connect({ host, port: Number(port), allowHalfOpen: true });
  await once(socket, 'connect');
  relayBytes(far, socket);
}
