import { once } from 'node:events';
import { connect as netConnect, type Socket } from 'node:net';
import type { Authority, Pairing } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Relay } from '../src/index.ts';
import {
  authorization,
  connectHttp1,
  connectHttp2,
  http2To,
  readHead,
  readText,
  tlsTo,
} from './support/client.ts';
import { eventually } from './support/eventually.ts';
import { bytesHeld } from './support/memory.ts';
import { echoOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

/** A bare TCP connection to the relay. */
async function tcpTo({ host, port }: Authority): Promise<Socket> {
  const socket = netConnect({ host, port, allowHalfOpen: true });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** Resolves when the relay has ended or broken a connection. */
function over(socket: Socket): Promise<unknown> {
  socket.on('error', () => {}).resume();
  if (socket.destroyed || socket.readableEnded) return Promise.resolve();
  return new Promise(resolve => socket.once('end', resolve).once('close', resolve));
}

/** The next client is served, in both dialects. */
async function expectToServe(pairing: Pairing): Promise<void> {
  const target = await echoOrigin();
  const { status, socket } = await connectHttp1(pairing, target);
  expect(status).toBe(200);
  socket.end('fine');
  expect(await readText(socket)).toBe('fine');
  expect((await connectHttp2(await http2To(pairing), pairing, target)).status).toBe(200);
}

/** Nothing is left of clients that are gone. */
async function expectToBeEmpty(relay: Relay): Promise<void> {
  await eventually(() => relay.status()).toMatchObject({ connections: 0, sessions: 0, tunnels: 0 });
}

describe('before the TLS handshake', () => {
  for (const [what, bytes] of [
    ['HTTP without TLS', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['zeros', Buffer.alloc(5000)],
    ['a TLS record that claims to be too long', Buffer.from('160301ffff', 'hex')],
    ['a TLS alert', Buffer.from('15030100020228', 'hex')],
  ] as const) {
    it(`closes a connection that brings ${what}`, async () => {
      const { pairing, relay } = await testRelay();
      const socket = await tcpTo(relay.address);
      socket.write(bytes);
      await over(socket);
      await expectToServe(pairing);
    });
  }

  it('closes a connection that stays silent, or sends its handshake too slowly', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 150 } });
    const silent = await tcpTo(relay.address);
    const slow = await tcpTo(relay.address);
    const drip = setInterval(() => slow.writable && slow.write(Buffer.from([0x16])), 20);
    onTestFinished(() => clearInterval(drip));
    await Promise.all([over(silent), over(slow)]);
    clearInterval(drip);
    await expectToServe(pairing);
  });

  it('takes TLS 1.3 only', async () => {
    const { pairing } = await testRelay();
    await expect(tlsTo(pairing, ['h2'], { maxVersion: 'TLSv1.2' })).rejects.toThrow(
      /protocol version|alert/i,
    );
    expect((await tlsTo(pairing)).getProtocol()).toBe('TLSv1.3');
  });

  it('negotiates HTTP/2, HTTP/1.1, or HTTP/1.1 when nothing is asked for, and nothing else', async () => {
    const { pairing } = await testRelay();
    expect((await tlsTo(pairing, ['h2', 'http/1.1'])).alpnProtocol).toBe('h2');
    expect((await tlsTo(pairing, ['http/1.1'])).alpnProtocol).toBe('http/1.1');
    await expect(tlsTo(pairing, ['smtp'])).rejects.toThrow(/no application protocol|alert/i);
    const { socket } = await connectHttp1(pairing, await echoOrigin());
    expect(socket.alpnProtocol).toBe('http/1.1');
  });

  it('survives any bytes', { timeout: 20_000 }, async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 300 } });
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc
        .uint8Array({ maxLength: 600 })
        .map(rest => Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), rest])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async noise => {
        const socket = await tcpTo(relay.address);
        socket.end(noise);
        await over(socket);
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 1000 },
    );
    await expectToServe(pairing);
  });
});

describe('in HTTP/1.1', () => {
  for (const [what, text, status] of [
    ['garbage', '\u0000\u0001\u0002\r\n\r\n', 400],
    ['a request without a target', 'CONNECT\r\n\r\n', 400],
    ['an unknown version', 'CONNECT a:1 HTTP/3.0\r\n\r\n', 505],
    [
      'a head that is too large',
      `CONNECT a:1 HTTP/1.1\r\n${`X-Fill: ${'x'.repeat(2000)}\r\n`.repeat(40)}`,
      431,
    ],
    ['a target that is too long', `CONNECT ${'a'.repeat(70_000)}:1 HTTP/1.1\r\n\r\n`, 414],
  ] as const) {
    it(`answers ${what} with ${status}, and closes`, async () => {
      const { pairing, relay } = await testRelay();
      const socket = await tlsTo(pairing);
      socket.on('error', () => {});
      socket.write(text);
      expect((await readHead(socket)).status).toBe(status);
      await over(socket);
      socket.destroy();
      await expectToBeEmpty(relay);
      await expectToServe(pairing);
    });
  }

  it('answers 408 to a head that drips in, and to none at all', async () => {
    const { pairing, relay } = await testRelay({ forwardLimits: { requestHeadMs: 150 } });
    const [silent, dripping] = [await tlsTo(pairing), await tlsTo(pairing)];
    const drip = setInterval(() => dripping.writable && dripping.write('C'), 20);
    onTestFinished(() => clearInterval(drip));
    for (const socket of [silent, dripping]) {
      socket.on('error', () => {});
      expect((await readHead(socket)).status).toBe(408);
    }
    clearInterval(drip);
    for (const socket of [silent, dripping]) socket.destroy();
    await expectToBeEmpty(relay);
    await expectToServe(pairing);
  });

  it('survives any bytes', { timeout: 20_000 }, async () => {
    const { pairing, relay } = await testRelay();
    const lines = fc.array(
      fc.oneof(
        fc.constantFrom('CONNECT a:1 HTTP/1.1', 'GET http://a/ HTTP/1.1', 'Host: a', '', 'Content-Length: 5'),
        fc.string({ maxLength: 60 }),
      ),
      { maxLength: 8 },
    );
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 500 }).map(noise => Buffer.from(noise)),
      lines.map(all => Buffer.from(`${all.join('\r\n')}\r\n\r\n`)),
    );
    await fc.assert(
      fc.asyncProperty(bytes, async noise => {
        const socket = await tlsTo(pairing);
        socket.end(noise);
        await over(socket);
        socket.destroy();
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 1000 },
    );
    await expectToBeEmpty(relay);
    await expectToServe(pairing);
  });
});

describe('in HTTP/2', () => {
  it('closes a connection that asks for nothing', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 100 } });
    const sockets = [await tlsTo(pairing, ['h2']), (await http2To(pairing)).socket as unknown as Socket];
    await Promise.all(sockets.map(over));
    await expectToBeEmpty(relay);
    await expectToServe(pairing);
  });

  it('closes one that only sends PING, and one that only sends wrong secrets', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 200 } });
    const pinging = await http2To(pairing);
    const closed = new Promise(resolve => pinging.once('close', resolve));
    const timer = setInterval(() => pinging.destroyed || pinging.ping(() => {}), 20);
    onTestFinished(() => clearInterval(timer));
    const guessing = await http2To(pairing);
    const guessed = new Promise(resolve => guessing.once('close', resolve));
    guessing
      .request({ ':method': 'CONNECT', ':authority': 'a:1', 'proxy-authorization': 'Basic eDp5' })
      .on('error', () => {});
    await Promise.all([closed, guessed]);
    await expectToBeEmpty(relay);
  });

  it('keeps one that has shown the secret', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 50 } });
    const session = await http2To(pairing);
    const { stream } = await connectHttp2(session, pairing, await echoOrigin());
    // One that came later and showed nothing has been closed: the time is over.
    await over(await tlsTo(pairing, ['h2']));
    stream.end('here');
    expect(await readText(stream)).toBe('here');
    expect(relay.status().sessions).toBe(1);
  });

  it('keeps an idle connection with a tunnel whose client answers PING', async () => {
    const { pairing, relay } = await testRelay({ limits: { idleSessionMs: 60, answerMs: 100 } });
    const session = await http2To(pairing);
    const { stream } = await connectHttp2(session, pairing, await echoOrigin());
    let pings = 0;
    session.on('ping', () => {
      pings += 1;
    });
    await eventually(() => pings).toBeGreaterThan(3);
    stream.end('still here');
    expect(await readText(stream)).toBe('still here');
    session.destroy();
    await expectToBeEmpty(relay);
  });

  it('ends a connection with a tunnel whose client answers no PING any more', async () => {
    const { pairing, relay } = await testRelay({ limits: { idleSessionMs: 60, answerMs: 100 } });
    const socket = await tlsTo(pairing, ['h2']);
    const request = hpackLiterals({
      ':method': 'CONNECT',
      ':authority': await echoOrigin(),
      'proxy-authorization': authorization(pairing),
    });
    const head = Buffer.from([0, 0, request.length, 1, 4, 0, 0, 0, 1]);
    socket
      .resume()
      .write(Buffer.concat([Buffer.from(`${preface()}000000040000000000`, 'hex'), head, request]));
    await eventually(() => relay.status().tunnels).toBe(1);
    await expectToBeEmpty(relay);
  });

  it('ends an idle connection', async () => {
    const { pairing, relay } = await testRelay({ limits: { idleSessionMs: 100 } });
    const session = await http2To(pairing);
    const goaway = once(session, 'goaway');
    const { stream } = await connectHttp2(session, pairing, await echoOrigin());
    stream.end();
    await readText(stream);
    await goaway;
    await expectToBeEmpty(relay);
  });

  it('notices that a client has ended its side of the connection', async () => {
    const { pairing, relay } = await testRelay();
    const socket = await tlsTo(pairing, ['h2']);
    socket.end(Buffer.from(`${preface()}000000040000000000`, 'hex'));
    await expectToBeEmpty(relay);
  });

  it('frees a connection whose client does not close after it', async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 50, lingerMs: 50 } });
    const socket = await tlsTo(pairing, ['h2'], { allowHalfOpen: true } as never);
    socket.pause();
    await expectToBeEmpty(relay);
  });

  for (const [what, bytes] of [
    ['garbage instead of the preface', Buffer.alloc(100, 0x41)],
    ['HTTP/1.1 after all', Buffer.from('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')],
    ['a frame that is too long', Buffer.from(`${preface()}000000040000000000ffffff000000000001`, 'hex')],
    [
      'DATA on a stream that was never opened',
      Buffer.from(`${preface()}000000040000000000000004000000000141414141`, 'hex'),
    ],
  ] as const) {
    it(`closes a connection that brings ${what}`, async () => {
      const { pairing, relay } = await testRelay({ limits: { authenticateMs: 500 } });
      const socket = await tlsTo(pairing, ['h2']);
      socket.write(bytes);
      await over(socket);
      socket.destroy();
      await expectToBeEmpty(relay);
      await expectToServe(pairing);
    });
  }

  it('refuses a request head that is too large', async () => {
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const headers: Record<string, string> = { ':method': 'CONNECT', ':authority': 'a:1' };
    for (let at = 0; at < 100; at++) headers[`x-${at}`] = 'x'.repeat(1000);
    const stream = session.request(headers);
    stream.on('error', () => {});
    const status = await Promise.race([
      once(stream, 'response').then(([answer]) => answer[':status']),
      new Promise(resolve => stream.once('close', () => resolve('reset'))),
    ]);
    expect([431, 'reset']).toContain(status);
    expect(relay.status().tunnelsOpened).toBe(0);
    await expectToServe(pairing);
  });

  it('sends a client away that resets streams as fast as it opens them', { timeout: 20_000 }, async () => {
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const target = await echoOrigin();
    const headers = {
      ':method': 'CONNECT',
      ':authority': target,
      'proxy-authorization': authorization(pairing),
    };
    const closed = new Promise(resolve => session.once('close', resolve));
    for (let round = 0; round < 100 && !session.closed && !session.destroyed; round++) {
      for (let at = 0; at < 20 && !session.closed && !session.destroyed; at++) {
        const stream = session.request(headers);
        stream.on('error', () => {});
        stream.close(8);
      }
      await new Promise(resolve => setTimeout(resolve, 2));
    }
    await closed;
    await expectToBeEmpty(relay);
    await expectToServe(pairing);
  });

  it('frees a connection that the HTTP/2 library has given up', async () => {
    const { pairing, relay } = await testRelay({
      limits: { idleSessionMs: 100, answerMs: 100, lingerMs: 50 },
    });
    const socket = await tlsTo(pairing, ['h2']);
    socket.on('error', () => {}).resume();
    // After a broken frame nothing more is read, not even the end.
    socket.write(Buffer.from(`${preface()}000000040000000000ffffff000000000001`, 'hex'));
    await expectToBeEmpty(relay);
  });

  it('survives any frames', { timeout: 20_000 }, async () => {
    const { pairing, relay } = await testRelay({ limits: { authenticateMs: 300 } });
    const frame = fc
      .tuple(fc.nat(11), fc.nat(255), fc.nat(7), fc.uint8Array({ maxLength: 80 }))
      .map(([type, flags, stream, payload]) => {
        const head = Buffer.alloc(9);
        head.writeUIntBE(payload.length, 0, 3);
        head.set([type, flags, 0, 0, 0, stream], 3);
        return Buffer.concat([head, payload]);
      });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 20 }), async frames => {
        const socket = await tlsTo(pairing, ['h2']);
        socket.end(Buffer.concat([Buffer.from(preface(), 'hex'), ...frames]));
        await over(socket);
        socket.destroy();
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 1000 },
    );
    await expectToBeEmpty(relay);
    await expectToServe(pairing);
  });
});

it('keeps its memory flat under noise', { timeout: 60_000 }, async () => {
  const { pairing, relay } = await testRelay({
    limits: { authenticateMs: 500, firstRefusalDelayMs: 1, longestRefusalDelayMs: 1 },
  });
  const round = async (count: number) => {
    for (let at = 0; at < count; at += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const socket = index % 2 === 0 ? await tcpTo(relay.address) : await tlsTo(pairing);
          socket.on('error', () => {}).end(Buffer.alloc(20_000, index + 1));
          await over(socket);
          socket.destroy();
        }),
      );
    }
    await expectToBeEmpty(relay);
    return bytesHeld();
  };
  await round(200);
  const before = await round(100);
  const after = await round(600);
  // 600 connections that each left 20 kB would be 12 MB.
  expect(after - before).toBeLessThan(4 << 20);
});

/** The client's preface with an empty SETTINGS frame to come; RFC 9113 §3.4. */
function preface(): string {
  return Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').toString('hex');
}

/** A header block of literal fields, neither indexed nor compressed; RFC 7541 §6.2.2. */
function hpackLiterals(fields: Record<string, string>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(
    Object.entries(fields).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]),
  );
}
