import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Pairing } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authorization, http2To, readText, requestHttp2, tlsTo } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { eventually } from './support/eventually.ts';
import { bytesHeld } from './support/memory.ts';
import { httpOrigin, tcpOrigin } from './support/origins.ts';
import { type TestRelay, testRelay } from './support/relay.ts';

function head({ pairing }: TestRelay, authority: string, method = 'GET'): Record<string, string> {
  return {
    ':method': method,
    ':scheme': 'http',
    ':authority': authority,
    ':path': '/',
    'proxy-authorization': authorization(pairing),
  };
}

/** A way to the relay that can be stopped, so that nothing comes back any more. */
async function pathTo({ pairing }: TestRelay): Promise<{ pairing: Pairing; stop: () => void }> {
  const upstreams: Socket[] = [];
  const place = await tcpOrigin(socket => {
    const upstream = connect(pairing.address.port, pairing.address.host);
    upstreams.push(upstream.on('error', () => {}));
    socket.pipe(upstream).pipe(socket);
  });
  const address = { host: '127.0.0.1', port: Number(place.split(':')[1]) };
  return { pairing: { ...pairing, address }, stop: () => upstreams.map(socket => socket.unpipe().pause()) };
}

describe('the origin of a plain request in HTTP/2', () => {
  it('is asked before the body begins, and may answer then', async () => {
    const relay = await testRelay();
    const origin = await httpOrigin((_request, response) => response.end('no need for a body'));
    const session = await http2To(relay.pairing);
    const { stream } = await requestHttp2(session, head(relay, origin, 'POST'), { endStream: false });
    expect(await readText(stream)).toBe('no need for a body');
  });

  it('may close after an early answer: the rest of the body is taken and dropped', async () => {
    const relay = await testRelay();
    const origin = await tcpOrigin(socket => {
      const answer = 'HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop';
      socket.once('data', () => socket.write(answer, () => socket.destroy()));
    });
    const session = await http2To(relay.pairing);
    const { status, stream } = await requestHttp2(session, head(relay, origin, 'POST'), { endStream: false });
    expect(status).toBe(413);
    expect(await readText(stream)).toBe('stop');
    stream.end(Buffer.alloc(32 << 20));
    await once(stream, 'close');
  });

  it('that has begun its answer may take its time', async () => {
    const relay = await testRelay({ forwardLimits: { responseHeadMs: 50 } });
    const go = deferred<void>();
    const slow = await tcpOrigin(socket => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf'));
      void go.promise.then(() => socket.write('time'));
    });
    const silent = await tcpOrigin(socket => void socket.resume());
    const session = await http2To(relay.pairing);
    const { stream } = await requestHttp2(session, head(relay, slow));
    // When one that has begun later has run out of time, so would this one have.
    expect((await requestHttp2(session, head(relay, silent))).status).toBe(504);
    go.resolve();
    expect(await readText(stream)).toBe('halftime');
  });

  it('that has closed a kept connection meanwhile is asked again', async () => {
    const relay = await testRelay();
    let connections = 0;
    const origin = await tcpOrigin(socket => {
      connections += 1;
      const number = connections;
      let asked = 0;
      socket.on('data', () => {
        asked += 1;
        if (number === 1 && asked === 2) socket.resetAndDestroy();
        else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nround');
      });
    });
    const session = await http2To(relay.pairing);
    for (let round = 0; round < 2; round++) {
      const { status, stream } = await requestHttp2(session, head(relay, origin));
      expect([status, await readText(stream)]).toEqual([200, 'round']);
    }
    expect(connections).toBe(2);
  });

  it('may have a large head', async () => {
    const relay = await testRelay();
    const origin = await httpOrigin((_request, response) => {
      response.setHeader('X-Large', 'a'.repeat(30_000));
      response.end('large');
    });
    const session = await http2To(relay.pairing);
    const { status, headers } = await requestHttp2(session, head(relay, origin));
    expect([status, headers['x-large']?.length]).toEqual([200, 30_000]);
  });

  it('takes no memory with hints to a client that does not read', { timeout: 30_000 }, async () => {
    const relay = await testRelay();
    const done = deferred<void>();
    const origin = await tcpOrigin(socket => {
      const hint = `HTTP/1.1 103 Early Hints\r\nLink: </${'a'.repeat(4000)}>\r\n\r\n`.repeat(16);
      let left = 500;
      const more = () => {
        while (left > 0) {
          left -= 1;
          if (!socket.write(hint)) return void socket.once('drain', more);
        }
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', () => done.resolve());
      };
      socket.once('data', more);
    });
    const { pairing, stop } = await pathTo(relay);
    const session = await http2To(pairing);
    const before = await bytesHeld();
    stop();
    session.request(head(relay, origin)).on('error', () => {});
    await done.promise;
    // What was read is freed a moment later, in the background.
    await expect.poll(async () => (await bytesHeld()) - before, { timeout: 10_000 }).toBeLessThan(8 << 20);
  });

  it('may send any bytes, wherever they are split', { timeout: 30_000 }, async () => {
    const pieces = fc.constantFrom(
      'HTTP/1.1 200 OK\r\n',
      'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n',
      'HTTP/1.1 103 Hints\r\nX: a\r\nLink: <a>\r\nLink: <b>\r\nConnection: X\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 007 Bond\r\n',
      'Content-Length: 3\r\n',
      'Location: /a\r\n',
      'HTTP2-Settings: x\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Trailer: X\r\n',
      '3\r\nabc\r\n',
      '0\r\n',
      'X: y\r\n',
      'X: \xff\r\n',
      '\r\n',
      'abc',
      '\xff\0',
    );
    let parts: string[] = [];
    const origin = await tcpOrigin(socket => {
      const answer = async () => {
        for (const part of parts) {
          socket.write(part, 'latin1');
          await new Promise(resolve => setImmediate(resolve));
        }
        socket.end();
      };
      socket.once('data', () => void answer());
    });
    const relay = await testRelay();
    const session = await http2To(relay.pairing);
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 12 }), async some => {
        parts = some;
        const stream = session.request(head(relay, origin));
        stream.on('error', () => {}).resume();
        await new Promise(resolve => stream.once('close', resolve));
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 2000 },
    );
    const fine = await httpOrigin((_request, response) => response.end('fine'));
    expect((await requestHttp2(session, head(relay, fine))).status).toBe(200);
  });
});

describe('a stranger in HTTP/1.1', () => {
  for (const second of [
    'CONNECT a.example:80 HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET http://a.example/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ]) {
    it(`does no harm with ${second.split(' ')[0]} behind a request that waits for its answer`, async () => {
      const { pairing, relay } = await testRelay();
      // The answers to wrong secrets are held back, the more the longer.
      for (let time = 0; time < 3; time++) {
        const socket = await tlsTo(pairing);
        const wrong = authorization(pairing, 'wrong');
        socket.on('error', () => {}).resume();
        socket.write(
          `GET http://b.example/ HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${wrong}\r\n\r\n${second}`,
        );
        await Promise.race([once(socket, 'end'), once(socket, 'close')]);
        socket.destroy();
      }
      await eventually(() => relay.status().connections).toBe(0);
    });
  }
});
