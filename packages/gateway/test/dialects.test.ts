import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Gateway } from '../src/index.ts';
import { allOf, curl, dial, someOf, tunnelTo, urlOf } from './support/client.ts';
import { echoOrigin, httpOrigin, tcpOrigin } from './support/origins.ts';
import { afterThisTest, startGateway, temporaryFolder, until } from './support/scope.ts';

/** How curl is told to use a gateway, for every dialect that it speaks. */
const dialects: Record<string, (gateway: Gateway) => string[]> = {
  'absolute-form': gateway => ['-x', urlOf(gateway)],
  CONNECT: gateway => ['--proxytunnel', '-x', urlOf(gateway)],
  'SOCKS5 with names': gateway => ['-x', urlOf(gateway, 'socks5h')],
  'SOCKS5 with addresses': gateway => ['-x', urlOf(gateway, 'socks5')],
};

/** Megabytes of the byte-exact transfers; a thousand with `MANYPATH_BULK_MB=1000`. */
const bulkMegabytes = Number(process.env.MANYPATH_BULK_MB ?? 64);

describe.each(Object.entries(dialects))('curl by %s', (_name, parametersFor) => {
  it('fetches from an IPv4 address, an IPv6 address and a name', async () => {
    const gateway = await startGateway();
    const serve = (message: IncomingMessage, response: ServerResponse) => {
      response.end(`${message.method} ${message.url}`);
    };
    const four = await httpOrigin(serve);
    const six = await httpOrigin(serve, '::1');
    for (const place of [`127.0.0.1:${four.port}`, `[::1]:${six.port}`, `localhost:${four.port}`]) {
      const result = await curl(...parametersFor(gateway), '--noproxy', '', `http://${place}/path?query=1`);
      expect(result, place).toEqual({ code: 0, stdout: 'GET /path?query=1', stderr: '' });
    }
    expect(gateway.status().totals).toMatchObject({ opened: 3, failed: 0 });
  });

  it(`moves ${bulkMegabytes} MB byte-exact in both directions`, { timeout: 120_000 }, async () => {
    const gateway = await startGateway();
    const file = join(temporaryFolder(), 'bulk');
    const sent = await writeRandom(file, bulkMegabytes);
    // The origin sends back what it is sent, while it is still being sent.
    const origin = await httpOrigin((message, response) => void message.pipe(response));
    const copy = `${file}.copy`;
    const { code, stderr } = await curl(
      ...['--max-time', '110', ...parametersFor(gateway), '-H', 'Expect:'],
      ...['-T', file, '-o', copy, `http://127.0.0.1:${origin.port}/`],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await digestOf(copy)).toBe(sent);
    await until(() => gateway.status().connections.length === 0);
    const { bytesIn, bytesOut } = gateway.status().totals;
    expect(bytesIn).toBeGreaterThan(bulkMegabytes * 1e6);
    expect(bytesOut).toBeGreaterThan(bulkMegabytes * 1e6);
  });

  it('fails in a way that tells why when nobody listens there', async () => {
    const gateway = await startGateway();
    const { code, stdout, stderr } = await curl(...parametersFor(gateway), 'http://127.0.0.1:1/');
    // curl: 56 and 97 for a refused tunnel; a plain request shows the page.
    expect(code === 0 ? stdout : stderr).toMatch(/MPTCP_CONNECT_FAILED|502|\(5\)/);
    expect(gateway.status().totals).toMatchObject({ opened: 1, failed: 1, connections: 0 });
  });
});

describe('an HTTP client', () => {
  it('may send the first bytes for the target together with CONNECT', async () => {
    const gateway = await startGateway();
    const origin = await echoOrigin();
    const socket = await dial(gateway.proxy);
    socket.end(`CONNECT 127.0.0.1:${origin.port} HTTP/1.1\r\n\r\nhello`);
    expect((await allOf(socket)).toString()).toBe('HTTP/1.1 200 Connection established\r\n\r\nhello');
  });

  it('gets all that comes after it has ended its own direction', async () => {
    const gateway = await startGateway();
    const origin = await tcpOrigin(socket => {
      let got = 0;
      socket.on('data', bytes => {
        got += bytes.length;
      });
      socket.once('end', () => socket.end(`got ${got}`));
    });
    const socket = await tunnelTo(gateway.proxy, origin);
    socket.end(Buffer.alloc(300_000));
    expect((await allOf(socket)).toString()).toBe('got 300000');
    await until(() => gateway.status().connections.length === 0);
  });

  it('is seen as half-closed meanwhile', async () => {
    const gateway = await startGateway();
    const origin = await tcpOrigin(socket => void socket.resume());
    const socket = await tunnelTo(gateway.proxy, origin);
    expect(gateway.status().connections).toMatchObject([
      {
        state: 'open',
        dialect: 'connect',
        route: 'tcp',
        multipath: false,
        target: `127.0.0.1:${origin.port}`,
      },
    ]);
    socket.end();
    await until(() => gateway.status().connections[0]?.state === 'half-closed');
  });

  it('keeps one connection for several requests, chunked bodies among them', async () => {
    const gateway = await startGateway();
    const origin = await httpOrigin((message, response) => {
      response.setHeader('x-seen', JSON.stringify(message.headers));
      message.pipe(response);
    });
    const socket = await dial(gateway.proxy);
    const target = `127.0.0.1:${origin.port}`;
    socket.write(
      `POST http://${target}/1 HTTP/1.1\r\nHost: ${target}\r\nProxy-Connection: keep-alive\r\n` +
        'Proxy-Authorization: Basic eDp5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
    );
    const first = await untilText(socket, '\r\n0\r\n\r\n');
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(first).toContain('abc');
    expect(first).not.toContain('proxy-');
    socket.write(`GET http://${target}/2 HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\n`);
    expect((await allOf(socket)).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(origin.sockets.size).toBe(1);
  });

  it('can open a WebSocket through an absolute-form upgrade and through a tunnel', async () => {
    const gateway = await startGateway();
    const accept = await webSocketEcho();
    const upgraded = request({
      host: '127.0.0.1',
      port: gateway.proxy.port,
      path: `http://127.0.0.1:${accept}/chat`,
      headers: {
        Host: `127.0.0.1:${accept}`,
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    });
    upgraded.end();
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      upgraded.once('upgrade', (message, socket) => {
        socket.destroy();
        resolve(message);
      });
      upgraded.once('error', reject);
      upgraded.once('response', message => reject(new Error(`answered ${message.statusCode}`)));
    });
    // The example of RFC 6455 §1.3.
    expect(answer.headers['sec-websocket-accept']).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');

    const tunnel = await tunnelTo(gateway.proxy, { host: '127.0.0.1', port: accept });
    tunnel.resume();
    const socket = new WebSocket(`ws://127.0.0.1:${accept}/`, { createConnection: () => tunnel });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const payload = randomBytes(200_000);
    const echoed = new Promise<Buffer>(resolve => socket.once('message', data => resolve(data as Buffer)));
    socket.send(payload);
    expect(payload.equals(await echoed)).toBe(true);
    socket.terminate();
  });
});

describe('a SOCKS4 client', () => {
  it('may send everything at once, and gets the bytes of its target first', async () => {
    const gateway = await startGateway();
    const origin = await echoOrigin();
    const port = [origin.port >> 8, origin.port & 0xff];
    const user = [...Buffer.from('somebody\0')];
    for (const request of [
      [4, 1, ...port, 127, 0, 0, 1, ...user],
      [4, 1, ...port, 0, 0, 0, 1, ...user, ...Buffer.from('localhost\0')],
    ]) {
      const socket = await dial(gateway.proxy);
      socket.end(Buffer.from([...request, ...Buffer.from('hello')]));
      const answer = await allOf(socket);
      expect(answer.subarray(0, 8).toString('hex')).toBe('005a000000000000');
      expect(answer.subarray(8).toString()).toBe('hello');
    }
  });

  it.each(['socks4', 'socks4a'])('is served when it is curl with %s', async scheme => {
    const gateway = await startGateway();
    const origin = await httpOrigin((message, response) => void message.pipe(response));
    const place = `${scheme === 'socks4' ? '127.0.0.1' : 'localhost'}:${origin.port}`;
    const { stdout } = await curl(
      '-x',
      urlOf(gateway, scheme),
      '--noproxy',
      '',
      '-d',
      'hi',
      `http://${place}/`,
    );
    expect(stdout).toBe('hi');
    expect(gateway.status().totals).toMatchObject({ opened: 1, failed: 0 });
  });

  it('is told when nobody is there', async () => {
    const gateway = await startGateway();
    const socket = await dial(gateway.proxy);
    socket.write(Buffer.from([4, 1, 0, 1, 127, 0, 0, 1, 0]));
    expect((await allOf(socket)).toString('hex')).toBe('005b000000000000');
  });
});

describe('a SOCKS5 client', () => {
  it('may send everything at once, and gets the bytes of its target first', async () => {
    const gateway = await startGateway();
    const origin = await echoOrigin();
    const socket = await dial(gateway.proxy);
    const port = [origin.port >> 8, origin.port & 0xff];
    socket.end(Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, ...port, ...Buffer.from('hello')]));
    const answer = await allOf(socket);
    expect(answer.subarray(0, 2).toString('hex')).toBe('0500');
    expect(answer.subarray(2, 12).toString('hex')).toBe('05000001000000000000');
    expect(answer.subarray(12).toString()).toBe('hello');
  });

  it.each([
    ['a refused connection', [1, 127, 0, 0, 1, 0, 1], '05'],
    ['a name without address', [3, 7, ...Buffer.from('invalid'), 0, 80], '04'],
  ])('is told the code of RFC 1928 for %s', async (_name, address, code) => {
    const gateway = await startGateway({
      lookup: () => Promise.reject(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })),
    });
    const socket = await dial(gateway.proxy);
    socket.write(Buffer.from([5, 1, 0, 5, 1, 0, ...address]));
    expect((await allOf(socket)).subarray(2, 4).toString('hex')).toBe(`05${code}`);
  });

  it('that wants BIND is told that there is none', async () => {
    const gateway = await startGateway();
    const socket = await dial(gateway.proxy);
    socket.write(Buffer.from([5, 1, 0]));
    expect((await someOf(socket, 2)).toString('hex')).toBe('0500');
    socket.write(Buffer.from([5, 2, 0, 1, 127, 0, 0, 1, 0, 80]));
    expect((await allOf(socket)).subarray(0, 2).toString('hex')).toBe('0507');
  });
});

async function untilText(socket: Socket, end: string): Promise<string> {
  let text = '';
  while (!text.endsWith(end)) text += (await someOf(socket, 1)).toString();
  return text;
}

/** @returns The port of a WebSocket server that sends back every message. */
async function webSocketEcho(): Promise<number> {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', client => client.on('message', data => client.send(data)));
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve));
  afterThisTest(() => {
    for (const client of server.clients) client.terminate();
    http.close();
    http.closeAllConnections();
  });
  return (http.address() as AddressInfo).port;
}

async function writeRandom(file: string, megabytes: number): Promise<string> {
  const digest = createHash('sha256');
  const parts = function* () {
    for (let left = megabytes; left > 0; left--) {
      const part = randomBytes(1_000_000);
      digest.update(part);
      yield part;
    }
  };
  await pipeline(Readable.from(parts()), createWriteStream(file));
  return digest.digest('hex');
}

async function digestOf(file: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(file), digest);
  return digest.digest('hex');
}
