import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pairing } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { breakOff, connectHttp1, connectHttp2, http2To, readText } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { eventually } from './support/eventually.ts';
import { echoOrigin, pattern, tcpOrigin } from './support/origins.ts';
import { testRelay } from './support/relay.ts';

interface Tunnel {
  status: number;
  stream: Duplex;
  headers: unknown;
}

/** The two ways to ask for a tunnel: what holds for one must hold for the other. */
const dialects: Record<string, (pairing: Pairing, target: string) => Promise<Tunnel>> = {
  'HTTP/1.1': async (pairing, target) => {
    const { status, headers, socket } = await connectHttp1(pairing, target);
    const entries = headers.map(([name, value]) => [name.toLowerCase(), value]);
    return { status, stream: socket, headers: Object.fromEntries(entries) };
  },
  'HTTP/2': async (pairing, target) => {
    const { status, headers, stream } = await connectHttp2(await http2To(pairing), pairing, target);
    return { status, stream, headers };
  },
};

for (const [dialect, open] of Object.entries(dialects)) {
  describe(`CONNECT in ${dialect}`, () => {
    it('opens a tunnel, and counts its bytes', async () => {
      const { pairing, relay } = await testRelay();
      const { status, stream } = await open(pairing, await echoOrigin());
      expect(status).toBe(200);
      stream.end('hello');
      expect(await readText(stream)).toBe('hello');
      await eventually(() => relay.status()).toMatchObject({
        tunnels: 0,
        tunnelsOpened: 1,
        bytesFromClients: 5,
        bytesFromTargets: 5,
      });
    });

    it('goes on towards the target after the target has ended', async () => {
      const received = deferred<string>();
      const target = await tcpOrigin(socket => {
        socket.end('all there is');
        void readText(socket).then(received.resolve);
      });
      const { stream } = await open((await testRelay()).pairing, target);
      expect(await readText(stream)).toBe('all there is');
      stream.write('still ');
      stream.end('here');
      expect(await received.promise).toBe('still here');
    });

    it('goes on towards the client after the client has ended', async () => {
      const target = await tcpOrigin(socket => {
        void readText(socket).then(text => socket.end(`got ${text}`));
      });
      const { stream } = await open((await testRelay()).pairing, target);
      stream.end('a question');
      expect(await readText(stream)).toBe('got a question');
    });

    it('carries 48 MB each way at once, byte for byte', { timeout: 60_000 }, async () => {
      const sent = pattern(48 << 20);
      const digest = sha256(sent);
      const { pairing, relay } = await testRelay();
      const { stream } = await open(pairing, await echoOrigin());
      const echoed = createHash('sha256');
      let length = 0;
      stream.on('data', (chunk: Buffer) => {
        echoed.update(chunk);
        length += chunk.length;
      });
      const ended = once(stream, 'end');
      await pipeline(pieces(sent), stream, { end: false });
      stream.end();
      await ended;
      expect([length, echoed.digest('hex')]).toEqual([sent.length, digest]);
      expect(relay.status().bytesFromClients).toBe(sent.length);
    });

    it('resets the target when the client breaks off', async () => {
      const broken = deferred<Error>();
      const accepted = deferred<Socket>();
      const target = await tcpOrigin(socket => {
        socket.once('error', broken.resolve).resume();
        accepted.resolve(socket);
      });
      const { stream } = await open((await testRelay()).pairing, target);
      stream.write('begun');
      await once(await accepted.promise, 'data');
      stream.on('error', () => {});
      breakOff(stream);
      expect(await broken.promise).toMatchObject({ code: 'ECONNRESET' });
    });

    it('answers 502 when the target refuses the connection', async () => {
      const gone = await tcpOrigin(() => {});
      const port = Number(gone.split(':')[1]);
      const { pairing } = await testRelay();
      const { status, stream, headers } = await open(pairing, `127.0.0.2:${port}`);
      expect(status).toBe(502);
      expect(headers).toMatchObject({
        'proxy-status': expect.stringContaining('MANYPATH_RELAY_TARGET_UNREACHABLE'),
      });
      expect(await readText(stream)).toContain(
        'it refuses the connection [MANYPATH_RELAY_TARGET_UNREACHABLE]',
      );
    });

    it('answers 502 when the name of the target has no address', async () => {
      const lookup = async () => [];
      const { status, stream } = await open((await testRelay({ lookup })).pairing, 'nowhere.example:80');
      expect(status).toBe(502);
      expect(await readText(stream)).toContain('[MANYPATH_RELAY_NAME_NOT_FOUND]');
    });

    it('answers 504 when the target does not answer in time', async () => {
      const lookup = () => new Promise<never>(() => {});
      const { pairing } = await testRelay({ lookup, limits: { dialMs: 50 } });
      const { status, stream } = await open(pairing, 'silent.example:80');
      expect(status).toBe(504);
      expect(await readText(stream)).toContain('[MANYPATH_RELAY_TARGET_TIMEOUT]');
    });

    it('answers 503 when there are as many connections as may be', async () => {
      const { pairing } = await testRelay({ limits: { targets: 1 } });
      const target = await echoOrigin();
      const first = await open(pairing, target);
      const second = await open(pairing, target);
      expect([first.status, second.status]).toEqual([200, 503]);
      expect(await readText(second.stream)).toContain('[MANYPATH_RELAY_BUSY]');
      first.stream.destroy();
      await eventually(async () => (await open(pairing, target)).status).toBe(200);
    });

    for (const target of ['127.0.0.1', '[::1', 'a..b:80', '127.0.0.1:99999']) {
      it(`answers 400 to the target "${target}"`, async () => {
        const { pairing } = await testRelay();
        const { status } = await open(pairing, target);
        expect(status).toBe(400);
      });
    }

    it('reaches a target by its name and by its IPv6 address', async () => {
      const target = await echoOrigin();
      const port = target.split(':')[1];
      const lookup = async () => [{ address: '127.0.0.1', family: 4 }];
      const { pairing } = await testRelay({ lookup });
      const byName = await open(pairing, `some.example:${port}`);
      expect(byName.status).toBe(200);
      const mapped = await open(pairing, `[::ffff:127.0.0.1]:${port}`);
      expect(mapped.status).toBe(200);
    });
  });
}

describe('CONNECT in HTTP/1.1', () => {
  it('passes on what came right behind the request', async () => {
    const { pairing } = await testRelay();
    const { socket } = await connectHttp1(pairing, await echoOrigin(), { send: 'in advance' });
    socket.end();
    expect(await readText(socket)).toBe('in advance');
  });
});

describe('CONNECT in HTTP/1.1', () => {
  it('resets the connection when the target breaks off', async () => {
    const target = await tcpOrigin(socket => socket.once('data', () => socket.resetAndDestroy()));
    const { socket } = await connectHttp1((await testRelay()).pairing, target);
    const failure = new Promise(resolve => socket.once('error', resolve));
    socket.resume().write('hello');
    expect(await failure).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('CONNECT in HTTP/2', () => {
  it('passes on what was sent before the answer', async () => {
    const { pairing } = await testRelay();
    const session = await http2To(pairing);
    const target = await echoOrigin();
    const stream = session.request({
      ':method': 'CONNECT',
      ':authority': target,
      'proxy-authorization': `Basic ${Buffer.from(`manypath:${pairing.secret}`).toString('base64')}`,
    });
    stream.end('at once');
    expect(await readText(stream)).toBe('at once');
  });

  it('tells a broken target from one that ended: RST_STREAM with CONNECT_ERROR', async () => {
    const target = await tcpOrigin(socket => socket.once('data', () => socket.resetAndDestroy()));
    const { pairing } = await testRelay();
    const { stream } = await connectHttp2(await http2To(pairing), pairing, target);
    stream.write('hello');
    await once(stream, 'close').catch(() => {});
    expect(stream.rstCode).toBe(10);
  });

  it('carries 1000 streams of one connection at once', { timeout: 60_000 }, async () => {
    const { pairing, relay } = await testRelay();
    const session = await http2To(pairing);
    const target = await echoOrigin();
    const tunnels = await Promise.all(
      Array.from({ length: 1000 }, () => connectHttp2(session, pairing, target)),
    );
    expect(new Set(tunnels.map(({ status }) => status))).toEqual(new Set([200]));
    expect(relay.status()).toMatchObject({ connections: 1, sessions: 1, tunnels: 1000 });
    const answers = await Promise.all(
      tunnels.map(({ stream }, index) => {
        stream.end(`stream ${index}`);
        return readText(stream);
      }),
    );
    expect(answers).toEqual(tunnels.map((_, index) => `stream ${index}`));
    await eventually(() => relay.status().tunnels).toBe(0);
  });

  it('offers a paired client 1000 streams and a window of 16 MiB, and answers PING', async () => {
    const { pairing } = await testRelay();
    const session = await http2To(pairing);
    await eventually(() => session.remoteSettings.maxConcurrentStreams).toBeLessThan(100);
    await connectHttp2(session, pairing, await echoOrigin());
    await new Promise<void>((resolve, reject) => {
      session.ping(error => (error ? reject(error) : resolve()));
    });
    expect(session.remoteSettings.maxConcurrentStreams).toBeGreaterThanOrEqual(1000);
    expect(session.remoteSettings.initialWindowSize).toBeGreaterThanOrEqual(16 << 20);
    // The connection's window, as WINDOW_UPDATE has raised it from its 65 535 bytes.
    await eventually(() => session.state.remoteWindowSize).toBeGreaterThanOrEqual(32 << 20);
  });

  it('stops dialling for a client that gives up', async () => {
    const looking = deferred<AbortSignal>();
    const lookup = (_host: string, { signal }: { signal: AbortSignal }) => {
      looking.resolve(signal);
      return new Promise<never>(() => {});
    };
    const { pairing } = await testRelay({ lookup });
    const session = await http2To(pairing);
    const stream = session.request({
      ':method': 'CONNECT',
      ':authority': 'slow.example:80',
      'proxy-authorization': `Basic ${Buffer.from(`manypath:${pairing.secret}`).toString('base64')}`,
    });
    stream.on('error', () => {});
    const signal = await looking.promise;
    stream.close(8);
    await eventually(() => signal.aborted).toBe(true);
  });
});

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A buffer in pieces of uneven sizes. */
function* pieces(bytes: Buffer): Generator<Buffer> {
  let size = 1;
  for (let at = 0; at < bytes.length; at += size) {
    size = ((at * 7 + 13) % 200_000) + 1;
    yield bytes.subarray(at, at + size);
  }
}
