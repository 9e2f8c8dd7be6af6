import { once } from 'node:events';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as https from 'node:https';
import type { Server, Socket } from 'node:net';
import * as tls from 'node:tls';
import * as undici from 'undici';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import {
  Agent,
  connect,
  createServer,
  fdOf,
  HttpsAgent,
  info,
  listen,
  type SocketInfo,
  undiciConnector,
} from '../src/index.ts';
import { cert, key } from './support/certificate.ts';
import { needsMptcp } from './support/requirements.ts';
import { closeServer, openSockets, portOf, textOf } from './support/sockets.ts';

const cleanup: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

/** Lets `server` listen on loopback; after the test it is closed with all that is connected to it. */
async function serve<S extends Server>(server: S): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await listen(server, { host: '127.0.0.1' });
  cleanup.push(() => closeServer(server, ...sockets));
  return portOf(server);
}

/** Answers a request with what the server's side of the connection is made of. */
const tellProtocol: http.RequestListener = (request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(info(request.socket)));
};

const isMultipath = { protocol: 'mptcp', multipath: true, reason: 'multipath' };
const trust = { ca: cert, servername: 'localhost' };

async function get(
  url: string,
  options: https.RequestOptions,
): Promise<{ server: SocketInfo; socket: Socket }> {
  const request = (url.startsWith('https') ? https : http).get(url, options);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const { socket } = response;
  return { server: JSON.parse(await textOf(response)), socket };
}

describe('over Multipath TCP runs', () => {
  needsMptcp();

  test('tls, both ends, with info on the TLS sockets and on the sockets below', async () => {
    const server = tls.createServer({ cert, key }, socket => socket.pipe(socket));
    const port = await serve(server);
    const accepted = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
    const below = await connect({ host: '127.0.0.1', port });
    const client = tls.connect({ socket: below, ...trust });
    cleanup.push(() => client.destroy());
    await once(client, 'secureConnect');
    const [peer] = await accepted;
    expect(client.getProtocol()).toBe('TLSv1.3');
    for (const end of [client, below, peer]) expect(info(end)).toMatchObject(isMultipath);
    expect(info(client).token).toBe(info(below).token);
    expect(fdOf(client)).toBe(fdOf(below));
    client.end('secret');
    expect(await textOf(client)).toBe('secret');
    // 'close' of the TLS socket and of the one below: the last word is kept for both.
    await expect.poll(() => [info(client).reason, info(below).reason]).toEqual(['closed', 'closed']);
  });

  test('tls on plain TCP, with the reason that the sockets below have', async () => {
    const server = tls.createServer({ cert, key }, socket => socket.on('error', () => {}));
    const port = await serve(server);
    const accepted = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
    const below = await connect({ host: '127.0.0.1', port, mptcp: false });
    const client = tls.connect({ socket: below, ...trust });
    cleanup.push(() => client.destroy());
    const [peer] = await accepted;
    expect([info(client).reason, info(peer).reason]).toEqual(['not-requested', 'peer-refused']);
  });

  test('http, kept alive', async () => {
    const port = await serve(http.createServer(tellProtocol));
    const agent = new Agent({ maxSockets: 1 });
    cleanup.push(() => agent.destroy());
    const first = await get(`http://127.0.0.1:${port}/`, { agent });
    const second = await get(`http://127.0.0.1:${port}/`, { agent });
    expect(first.server).toMatchObject(isMultipath);
    expect(info(second.socket)).toMatchObject(isMultipath);
    expect(second.socket).toBe(first.socket);
  });

  test('http for a name, with the lookup, family and local address of the request', async () => {
    const port = await serve(http.createServer(tellProtocol));
    const agent = new Agent({ keepAlive: false });
    const asked: unknown[] = [];
    const { server, socket } = await get(`http://some.test:${port}/`, {
      agent,
      family: 4,
      localAddress: '127.0.0.9',
      lookup(host, options, callback) {
        asked.push(host, options.family);
        callback(null, [{ address: '127.0.0.1', family: 4 }]);
      },
    });
    expect(asked).toEqual(['some.test', 4]);
    expect([server.multipath, socket.localAddress]).toEqual([true, '127.0.0.9']);
  });

  test('http requests that cannot be connected fail with the error of connect', async () => {
    const request = http.get('http://127.0.0.1:1/', { agent: new Agent() });
    const [error] = await once(request, 'error');
    expect(error).toMatchObject({ code: 'MPTCP_CONNECT_FAILED', systemCode: 'ECONNREFUSED' });
  });

  test('https, with TLS sessions resumed', async () => {
    const reused: boolean[] = [];
    const server = https.createServer({ cert, key }, (request, response) => {
      reused.push((request.socket as tls.TLSSocket).isSessionReused());
      tellProtocol(request, response);
    });
    const port = await serve(server);
    const agent = new HttpsAgent({ ...trust, keepAlive: false, maxCachedSessions: 10 });
    for (let i = 0; i < 2; i++) {
      const answer = await get(`https://localhost:${port}/`, { agent, family: 4 });
      expect(answer.server).toMatchObject(isMultipath);
    }
    expect(reused).toEqual([false, true]);
  });

  test('https refuses a certificate that is not trusted, and frees the connection', async () => {
    const port = await serve(https.createServer({ cert, key }, tellProtocol));
    const request = https.get(`https://localhost:${port}/`, { agent: new HttpsAgent(), family: 4 });
    const [error] = await once(request, 'error');
    expect(error).toMatchObject({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  });

  test('https with TLS options that cannot be fails, and frees the connection', async () => {
    const port = await serve(https.createServer({ cert, key }, tellProtocol));
    const impossible = { minVersion: 'TLSv1.4' as tls.SecureVersion };
    const before = openSockets();
    const request = https.get(`https://localhost:${port}/`, { agent: new HttpsAgent(impossible), family: 4 });
    expect((await once(request, 'error'))[0]).toMatchObject({ code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' });
    const dispatcher = new undici.Agent({ connect: undiciConnector({ tls: impossible, family: 4 }) });
    const failed = undici.request(`https://localhost:${port}/`, { dispatcher });
    await expect(failed).rejects.toMatchObject({ code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' });
    await expect.poll(openSockets).toBe(before);
  });

  test('http/2, client and secure server', async () => {
    const server = http2.createSecureServer({ cert, key });
    let seenByServer: SocketInfo | undefined;
    server.on('stream', (stream: http2.ServerHttp2Stream) => {
      const { socket } = stream.session ?? {};
      seenByServer = socket && info(socket);
      stream.respond({ ':status': 200 });
      stream.end('over http/2');
    });
    const port = await serve(server);
    const below = await connect({ host: '127.0.0.1', port });
    const secure = tls.connect({ socket: below, ALPNProtocols: ['h2'], ...trust });
    await once(secure, 'secureConnect');
    const session = http2.connect(`https://localhost:${port}`, { createConnection: () => secure });
    cleanup.push(() => session.destroy());
    const stream = session.request({ ':path': '/' });
    expect(await textOf(stream)).toBe('over http/2');
    expect(seenByServer).toMatchObject(isMultipath);
    expect(info(below)).toMatchObject(isMultipath);
    // What an HTTP/2 session shows of its socket is a proxy: the memory is found through it all the same.
    if (session.socket === undefined) throw new Error('the session lost its socket');
    expect(info(session.socket as Socket)).toMatchObject(isMultipath);
  });

  test('http/2 without TLS', async () => {
    const server = http2.createServer();
    server.on('stream', (stream: http2.ServerHttp2Stream) => {
      stream.respond({ ':status': 200 });
      stream.end(JSON.stringify(info(stream.session?.socket as Socket)));
    });
    const port = await serve(server);
    const below = await connect({ host: '127.0.0.1', port });
    const session = http2.connect(`http://127.0.0.1:${port}`, { createConnection: () => below });
    cleanup.push(() => session.destroy());
    expect(JSON.parse(await textOf(session.request({ ':path': '/' })))).toMatchObject(isMultipath);
    expect(info(below)).toMatchObject(isMultipath);
  });

  test('WebSocket, client and server', async () => {
    const server = http.createServer();
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (socket, request) => {
      socket.send(JSON.stringify(info(request.socket)));
    });
    const port = await serve(server);
    const client = new WebSocket(`ws://127.0.0.1:${port}`, { agent: new Agent() });
    cleanup.push(() => client.terminate());
    const [message] = await once(client, 'message');
    expect(JSON.parse(String(message))).toMatchObject(isMultipath);
  });

  test('undici: request, and fetch, over http', async () => {
    const port = await serve(http.createServer(tellProtocol));
    const dispatcher = new undici.Agent({ connect: undiciConnector() });
    cleanup.push(() => dispatcher.close());
    const requested = await undici.request(`http://127.0.0.1:${port}/`, { dispatcher });
    expect(await requested.body.json()).toMatchObject(isMultipath);
    const fetched = await undici.fetch(`http://127.0.0.1:${port}/`, { dispatcher });
    expect(await fetched.json()).toMatchObject(isMultipath);
  });

  test('undici: request, and fetch, over https', async () => {
    const port = await serve(https.createServer({ cert, key }, tellProtocol));
    const dispatcher = new undici.Agent({ connect: undiciConnector({ tls: trust, family: 4 }) });
    cleanup.push(() => dispatcher.close());
    const requested = await undici.request(`https://localhost:${port}/`, { dispatcher });
    expect(await requested.body.json()).toMatchObject(isMultipath);
    const fetched = await undici.fetch(`https://127.0.0.1:${port}/`, { dispatcher });
    expect(await fetched.json()).toMatchObject(isMultipath);
  });

  test('undici resumes TLS sessions, each only on its own origin', async () => {
    const reused: boolean[] = [];
    const handler: http.RequestListener = (request, response) => {
      reused.push((request.socket as tls.TLSSocket).isSessionReused());
      response.setHeader('connection', 'close').end();
    };
    // With the same keys each server would take the other's tickets, were they offered.
    const options = { cert, key, ticketKeys: Buffer.alloc(48, 7) };
    const ports = [
      await serve(https.createServer(options, handler)),
      await serve(https.createServer(options, handler)),
    ];
    const dispatcher = new undici.Agent({ connect: undiciConnector({ tls: trust, family: 4 }) });
    cleanup.push(() => dispatcher.close());
    for (const port of [ports[0], ports[0], ports[1]]) {
      await (await undici.request(`https://localhost:${port}/`, { dispatcher })).body.dump();
    }
    expect(reused).toEqual([false, true, false]);
  });

  test('undici speaks HTTP/2 where both sides allow it', async () => {
    const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
      response.end(request.httpVersion);
    });
    const port = await serve(server);
    const dispatcher = new undici.Agent({
      connect: undiciConnector({ tls: trust, family: 4, allowH2: true }),
      allowH2: true,
    });
    cleanup.push(() => dispatcher.destroy());
    const answer = await undici.request(`https://localhost:${port}/`, { dispatcher });
    expect(await answer.body.text()).toBe('2.0');
  });

  test('undici tells what went wrong', async () => {
    const dispatcher = new undici.Agent({ connect: undiciConnector({ timeout: 2000 }) });
    cleanup.push(() => dispatcher.close());
    await expect(undici.request('http://127.0.0.1:1/', { dispatcher })).rejects.toMatchObject({
      code: 'MPTCP_CONNECT_FAILED',
    });
    const port = await serve(https.createServer({ cert, key }, tellProtocol));
    await expect(undici.request(`https://127.0.0.1:${port}/`, { dispatcher })).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
  });

  test('undici gives up a TLS handshake that does not come', async () => {
    const server = await createServer({ host: '127.0.0.1' }, socket => {
      socket.on('error', () => {});
      cleanup.push(() => socket.destroy());
    });
    cleanup.push(() => closeServer(server));
    const dispatcher = new undici.Agent({ connect: undiciConnector({ timeout: 50 }) });
    cleanup.push(() => dispatcher.destroy());
    await expect(undici.request(`https://127.0.0.1:${portOf(server)}/`, { dispatcher })).rejects.toThrow(
      /50 ms/,
    );
  });
});
