import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { ClientHttp2Stream } from 'node:http2';
import type { Pairing } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { authorization, http2To, readHead, readText, requestHttp2, tlsTo } from './support/client.ts';
import { httpOrigin, pattern, tcpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

function head(
  pairing: Pairing,
  authority: string,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    ':method': 'GET',
    ':scheme': 'http',
    ':authority': authority,
    ':path': '/',
    'proxy-authorization': authorization(pairing),
    ...more,
  };
}

/** A relay and a client of it in HTTP/2, and an origin. */
async function setUp(listener: RequestListener) {
  const origin = await httpOrigin(listener);
  const { pairing, relay } = await testRelay();
  const session = await http2To(pairing);
  return { origin, pairing, relay, session, head: (more = {}) => head(pairing, origin, more) };
}

describe('a plain request in HTTP/2', () => {
  it('reaches the origin without what is between client and relay only', async () => {
    const { session, head, origin } = await setUp((request, response) => {
      response.setHeader('X-Answer', 'yes');
      response.setHeader('Keep-Alive', 'timeout=5');
      response.end(JSON.stringify({ url: request.url, headers: request.headers }));
    });
    const more = { ':path': '/a?b=c', te: 'trailers', 'x-asked': 'yes' };
    const { status, headers, stream } = await requestHttp2(session, head(more));
    expect(status).toBe(200);
    expect(headers['x-answer']).toBe('yes');
    expect(headers['keep-alive']).toBeUndefined();
    const seen = JSON.parse(await readText(stream));
    expect(seen.url).toBe('/a?b=c');
    expect(seen.headers).toMatchObject({ host: origin, 'x-asked': 'yes' });
    expect(seen.headers).not.toHaveProperty('proxy-authorization');
    expect(seen.headers).not.toHaveProperty('te');
  });

  it('joins crumbs of cookies, and keeps set-cookie apart', async () => {
    const { session, head } = await setUp((request, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']);
      response.end(request.headers.cookie);
    });
    const stream = session.request({ ...head(), cookie: ['c=3', 'd=4'] } as never);
    const [headers] = await once(stream, 'response');
    expect(headers['set-cookie']).toEqual(['a=1', 'b=2']);
    expect(await readText(stream)).toBe('c=3; d=4');
  });

  for (const length of ['known', 'unknown']) {
    it(`carries bodies of ${length} length both ways, byte for byte`, async () => {
      const body = pattern(5_000_001);
      const { session, head } = await setUp((request, response) => {
        if (length === 'known') response.setHeader('Content-Length', body.length);
        request.pipe(response);
      });
      const sized: Record<string, string> =
        length === 'known' ? { 'content-length': String(body.length) } : {};
      const { stream } = await requestHttp2(session, head({ ':method': 'POST', ...sized }), { send: body });
      expect((await readBytes(stream)).equals(body)).toBe(true);
    });
  }

  it('carries trailers both ways', async () => {
    const { session, head } = await setUp((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write('body');
        response.addTrailers({ 'X-Sum': `got ${request.trailers['x-check']}` });
        response.end();
      });
    });
    const stream = session.request(head({ ':method': 'POST', trailer: 'x-check' }), {
      waitForTrailers: true,
    });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'x-check': 'it' }));
    const trailers = once(stream, 'trailers');
    stream.end('body');
    expect(await readText(stream)).toBe('body');
    expect((await trailers)[0]).toMatchObject({ 'x-sum': 'got it' });
  });

  it('passes 100 Continue and 103 Early Hints on', async () => {
    const { session, head } = await setUp((request, response) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' });
      request.pipe(response);
    });
    const stream = session.request(head({ ':method': 'POST', expect: '100-continue' }), { endStream: false });
    const informed: number[] = [];
    stream.on('headers', fields => informed.push(fields[':status'] ?? 0));
    stream.once('continue', () => stream.end('at last'));
    expect(await readText(stream)).toBe('at last');
    expect(informed.sort()).toEqual([100, 103]);
  });

  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
    ['DELETE', 205],
  ] as const) {
    it(`passes on that ${method} ${status} has no body`, async () => {
      const { session, head } = await setUp((_request, response) => {
        response.writeHead(status, { 'X-Here': '1' });
        response.end();
      });
      const answer = await requestHttp2(session, head({ ':method': method }));
      expect([answer.status, answer.headers['x-here']]).toEqual([status, '1']);
      expect(await readText(answer.stream)).toBe('');
    });
  }

  it('uses a connection to the origin again', async () => {
    const ports = new Set<number | undefined>();
    const { session, head } = await setUp((request, response) => {
      ports.add(request.socket.remotePort);
      response.end();
    });
    for (let time = 0; time < 5; time++) await readText((await requestHttp2(session, head())).stream);
    expect(ports.size).toBe(1);
  });

  it('counts bytes', async () => {
    const { session, head, relay } = await setUp((_request, response) => response.end('x'.repeat(1000)));
    await readText((await requestHttp2(session, head())).stream);
    expect(relay.status().bytesFromTargets).toBeGreaterThan(1000);
    expect(relay.status().bytesFromClients).toBeGreaterThan(50);
  });

  it('is answered 502 by an origin that is gone, breaks off or speaks no HTTP', async () => {
    const { pairing } = await testRelay();
    const session = await http2To(pairing);
    const rude = await tcpOrigin(socket => socket.once('data', () => socket.destroy()));
    const mad = await tcpOrigin(socket =>
      socket.once('data', () => socket.end('\u0000\u0001 what?\r\n\r\n')),
    );
    const gone = rude.replace('127.0.0.1', '127.0.0.2');
    for (const [origin, code] of [
      [gone, 'MANYPATH_RELAY_TARGET_UNREACHABLE'],
      [rude, 'MANYPATH_FORWARD_ORIGIN_FAILED'],
      [mad, 'MANYPATH_FORWARD_ORIGIN_FAILED'],
    ] as const) {
      const { status, stream } = await requestHttp2(session, head(pairing, origin));
      expect(status).toBe(502);
      expect(await readText(stream)).toContain(`[${code}]`);
    }
  });

  it('breaks off when the origin breaks off in the body', async () => {
    const { session, head } = await setUp((_request, response) => {
      response.writeHead(200, { 'Content-Length': 1000 });
      response.write('some of it', () => response.destroy());
    });
    const { status, stream } = await requestHttp2(session, head());
    expect(status).toBe(200);
    stream.resume();
    await new Promise(resolve => stream.once('close', resolve));
    expect(stream.rstCode).not.toBe(0);
  });

  it('leaves the origin when the client does', async () => {
    let left: Promise<unknown> | undefined;
    const { session, head } = await setUp((request, response) => {
      left = once(request.socket, 'close');
      response.write('begun');
    });
    const { stream } = await requestHttp2(session, head());
    stream.close(8);
    await left;
  });

  it('is refused for any scheme but http', async () => {
    const { session, head } = await setUp((_request, response) => response.end());
    for (const scheme of ['https', 'ftp']) {
      const { status, stream } = await requestHttp2(session, head({ ':scheme': scheme }));
      expect(status).toBe(400);
      expect(await readText(stream)).toContain('[MANYPATH_RELAY_NOT_PLAIN]');
    }
  });

  it('cannot smuggle a second request to the origin', async () => {
    const seen: string[] = [];
    const { pairing, head } = await setUp((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      request.resume().once('end', () => response.end());
    });
    const smuggled = 'GET /admin HTTP/1.1\r\nHost: x\r\n\r\n';
    const tricks = [
      { ':method': 'POST', 'content-length': '0' },
      { ':method': 'POST', 'content-length': '4' },
    ];
    for (const trick of tricks) {
      // Some releases of Node end the whole connection of who tries that.
      const session = await http2To(pairing);
      const stream = session.request(head(trick), { endStream: false });
      stream.on('error', () => {}).resume();
      stream.end(smuggled);
      await new Promise(resolve => stream.once('close', resolve));
    }
    expect(seen.filter(line => line.includes('/admin'))).toEqual([]);
  });
});

describe('a plain request in HTTP/1.1', () => {
  it('is forwarded, several on one connection', async () => {
    const origin = await httpOrigin((request, response) => {
      response.end(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    });
    const { pairing } = await testRelay();
    const socket = await tlsTo(pairing);
    for (const path of ['/one', '/two']) {
      socket.write(
        `GET http://${origin}${path} HTTP/1.1\r\nHost: ${origin}\r\nProxy-Authorization: ${authorization(pairing)}\r\n\r\n`,
      );
      const { status, headers } = await readHead(socket);
      expect(status).toBe(200);
      const length = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]);
      expect(String(await readExactly(socket, length))).toBe(`GET ${path} undefined`);
    }
  });
});

async function readExactly(socket: NodeJS.ReadableStream, length: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(length) as Buffer | null;
    if (bytes !== null) return bytes;
    await once(socket, 'readable');
  }
}

async function readBytes(stream: ClientHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}
