import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { curl, eventually, rawClient, statusIn } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { testFront } from './support/front.ts';
import { httpOrigin, rawOrigin, tcpOrigin } from './support/origins.ts';

const bulk = pattern(32 << 20);

describe('big bodies', () => {
  for (const framing of ['of known length', 'in chunks'] as const) {
    it(`${framing} are carried both ways, byte for byte`, { timeout: 60_000 }, async () => {
      const proxy = await testFront();
      const { place } = await httpOrigin((request, response) => {
        if (framing === 'of known length') response.setHeader('Content-Length', bulk.length);
        request.pipe(response);
      });
      const folder = mkdtempSync(join(tmpdir(), 'manypath-forward-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const file = join(folder, 'body');
      writeFileSync(file, bulk);
      const chunked = framing === 'in chunks' ? ['-H', 'Transfer-Encoding: chunked'] : [];
      const { code, stdout } = await curl(proxy, '-H', 'Expect:', ...chunked, '-T', file, `http://${place}/`);
      expect(code).toBe(0);
      expect(digest(Buffer.from(stdout, 'latin1'))).toBe(digest(bulk));
    });
  }
});

describe('an origin that breaks off', () => {
  const broken: Record<string, string> = {
    'in a body of known length': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
    'in a chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf',
    'between chunks': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    'in the size of a chunk':
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n',
    'in the trailers': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-T',
  };
  for (const [where, head] of Object.entries(broken)) {
    for (const [how, end] of [
      ['with an orderly end', (socket: Socket) => void socket.end()],
      ['with a reset', (socket: Socket) => void socket.resetAndDestroy()],
    ] as const) {
      it(`${where}, ${how}, is no success for the client`, async () => {
        const proxy = await testFront();
        const passedOn = deferred<void>();
        const { place } = await rawOrigin(head, socket => void passedOn.promise.then(() => end(socket)));
        const client = await rawClient(proxy);
        client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
        const first = where === 'in the size of a chunk' ? '' : await client.until('half');
        passedOn.resolve();
        const rest = await client.all();
        expect(`${first}${rest}`).not.toMatch(/\r\n0\r\n/);
        const { code } = await curl(proxy, `http://${place}/`);
        // 18: partial file; 52: empty reply; 56: failure in receiving.
        expect([18, 52, 56]).toContain(code);
      });
    }
  }

  it('with a reset in a body that its end delimits is no success for the client', async () => {
    const proxy = await testFront();
    const passedOn = deferred<void>();
    const { place } = await rawOrigin('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf', socket => {
      void passedOn.promise.then(() => socket.resetAndDestroy());
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    const first = await client.until('half');
    expect(first).toMatch(/transfer-encoding: chunked/i);
    passedOn.resolve();
    expect(await client.all()).not.toContain('0\r\n\r\n');
  });

  it('after an early answer does not take it away from a client that still sends', async () => {
    const proxy = await testFront();
    const { place } = await tcpOrigin(socket => {
      socket.once('data', () => {
        const answer = 'HTTP/1.1 413 Too Much\r\nContent-Length: 4\r\nConnection: close\r\n\r\nstop';
        socket.write(answer, () => socket.destroy());
      });
    });
    const fine = await httpOrigin((_request, response) => void response.end('fine'));
    const client = await rawClient(proxy);
    client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${bulk.length}\r\n\r\n`);
    expect(statusIn(await client.until('stop'))).toBe(413);
    client.send(bulk);
    client.send(`GET http://${fine.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(statusIn(await client.until('fine'))).toBe(200);
  });
});

describe('a client that breaks off', () => {
  it.each([
    ['in its body', 'Content-Length: 100\r\n\r\nhalf'],
    ['in a chunk', 'Transfer-Encoding: chunked\r\n\r\n64\r\nhalf'],
  ])('%s leaves the origin without the end of it', async (_where, framing) => {
    for (const leave of [
      (socket: Socket) => void socket.destroy(),
      (socket: Socket) => void socket.resetAndDestroy(),
      (socket: Socket) => void socket.end(),
    ]) {
      const proxy = await testFront();
      const complete: boolean[] = [];
      const begun = deferred<void>();
      const { place, sockets } = await httpOrigin(request => {
        request.once('data', () => begun.resolve()).on('error', () => {});
        request.once('close', () => complete.push(request.complete));
      });
      const client = await rawClient(proxy);
      client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\n${framing}`);
      await begun.promise;
      leave(client.socket);
      await eventually(() => complete).toEqual([false]);
      await eventually(() => sockets[0]?.destroyed).toBe(true);
      await eventually(() => proxy.clients.size).toBe(0);
    }
  });

  it('in the body of the answer is left by the origin too', async () => {
    const proxy = await testFront();
    const { place, sockets } = await httpOrigin((_request, response) => {
      response.on('error', () => {}).write('begun');
      const more = () => {
        while (!response.destroyed && response.write(bulk.subarray(0, 65_536)));
      };
      response.on('drain', more);
      more();
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('begun');
    client.socket.destroy();
    await eventually(() => sockets[0]?.destroyed).toBe(true);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('before the answer is left by the origin too', async () => {
    const proxy = await testFront();
    const asked = deferred<void>();
    const { place, sockets } = await httpOrigin(() => asked.resolve());
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await asked.promise;
    client.socket.destroy();
    await eventually(() => sockets[0]?.destroyed).toBe(true);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('while its target is dialled has the dialling given up', async () => {
    const dialling = deferred<AbortSignal>();
    const proxy = await testFront({
      dial: (_target, { signal }) => {
        dialling.resolve(signal);
        return new Promise<never>(() => {});
      },
    });
    const client = await rawClient(proxy);
    client.send('GET http://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n');
    const signal = await dialling.promise;
    client.socket.destroy();
    await eventually(() => signal.aborted).toBe(true);
  });
});

describe('a connection that changes its purpose', () => {
  it('becomes a tunnel by CONNECT after plain requests', async () => {
    const proxy = await testFront();
    const plain = await httpOrigin((_request, response) => void response.end('fine'));
    const echo = await tcpOrigin(socket => void socket.pipe(socket));
    const client = await rawClient(proxy);
    client.send(`GET http://${plain.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('fine');
    client.send(`CONNECT ${echo.place} HTTP/1.1\r\nHost: ${echo.place}\r\n\r\nearly `);
    expect(statusIn(await client.until('\r\n\r\n'))).toBe(200);
    client.send('late');
    client.socket.end();
    expect(await client.all()).toBe('early late');
    await eventually(() => plain.sockets[0]?.destroyed).toBe(true);
  });

  it('becomes a tunnel by CONNECT that came before the answer to the request ahead', async () => {
    const proxy = await testFront();
    const plain = await httpOrigin((_request, response) => void setImmediate(() => response.end('fine')));
    const echo = await tcpOrigin(socket => void socket.pipe(socket));
    const client = await rawClient(proxy);
    client.send(
      `GET http://${plain.place}/ HTTP/1.1\r\nHost: x\r\n\r\nCONNECT ${echo.place} HTTP/1.1\r\nHost: x\r\n\r\nearly`,
    );
    client.socket.end();
    expect(await client.all()).toMatch(
      /fine(?:\r\n0\r\n\r\n)?HTTP\/1\.1 200 Connection established\r\n\r\nearly$/,
    );
  });
});

describe('memory', () => {
  it('is not taken for a client that does not read, nor for an origin', { timeout: 60_000 }, async () => {
    const proxy = await testFront();
    let sent = 0;
    const { place } = await httpOrigin((request, response) => {
      request.pause();
      const more = () => {
        do sent += 1;
        while (!response.destroyed && sent < 4000 && response.write(bulk.subarray(0, 65_536)));
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    const before = await bytesHeld();
    const client = await rawClient(proxy);
    client.socket.pause();
    client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${bulk.length}\r\n\r\n`);
    // Written bytes count for the test until the kernel has them: they are pieces of one buffer that is there anyway.
    client.send(bulk);
    let last = -1;
    await expect
      .poll(
        () => {
          const still = last === sent;
          last = sent;
          return still && sent > 0;
        },
        { timeout: 20_000, interval: 300 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(1000);
    await expect.poll(async () => (await bytesHeld()) - before, { timeout: 10_000 }).toBeLessThan(16 << 20);
  });

  it('is not taken for hints to a client that does not read', { timeout: 60_000 }, async () => {
    const proxy = await testFront();
    const hint = `HTTP/1.1 103 Early Hints\r\nLink: </${'a'.repeat(4000)}>; rel=preload\r\n\r\n`.repeat(16);
    const done = deferred<void>();
    const { place } = await tcpOrigin(socket => {
      socket.once('data', () => {
        let left = 500;
        const more = () => {
          while (left > 0) {
            left -= 1;
            if (!socket.write(hint)) return void socket.once('drain', more);
          }
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', () => done.resolve());
        };
        more();
      });
    });
    const before = await bytesHeld();
    const client = await rawClient(proxy);
    client.socket.pause();
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await done.promise;
    // What was read is freed a moment later, in the background.
    await expect.poll(async () => (await bytesHeld()) - before, { timeout: 10_000 }).toBeLessThan(8 << 20);
  });
});

it('survives any bytes of a client, wherever they are split', { timeout: 30_000 }, async () => {
  const origin = await httpOrigin((request, response) => void request.pipe(response));
  const proxy = await testFront({ limits: { requestHeadMs: 500 } });
  const pieces = fc.constantFrom(
    `GET http://${origin.place}/ HTTP/1.1\r\nHost: x\r\n`,
    `POST http://${origin.place}/ HTTP/1.1\r\nHost: x\r\n`,
    `CONNECT ${origin.place} HTTP/1.1\r\n`,
    'Transfer-Encoding: chunked\r\n',
    'Content-Length: 3\r\n',
    'Connection: Upgrade\r\nUpgrade: websocket\r\n',
    'Expect: 100-continue\r\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
    'abc',
    '\r\n',
    '\r\n\r\n',
    '\0',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(pieces, { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      async (parts, reset) => {
        const client = await rawClient(proxy);
        for (const part of parts) {
          client.send(part);
          await new Promise(resolve => setImmediate(resolve));
        }
        if (reset) client.socket.resetAndDestroy();
        else client.socket.destroy();
      },
    ),
    { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 2000 },
  );
  await eventually(() => proxy.clients.size).toBe(0);
  expect(await curl(proxy, '-d', 'still there', `http://${origin.place}/`)).toMatchObject({
    stdout: 'still there',
  });
});

it('survives any bytes of an origin, wherever they are split', { timeout: 30_000 }, async () => {
  const pieces = fc.constantFrom(
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    'HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 007 Bond\r\n',
    'HTTP/1.1 200 a\x01b\r\n',
    'Content-Length: 3\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Trailer: X\r\n',
    'Connection: close\r\n',
    '3\r\nabc\r\n',
    '0\r\n',
    'X: y\r\n',
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
  const proxy = await testFront();
  await fc.assert(
    fc.asyncProperty(
      fc.array(pieces, { maxLength: 12 }),
      fc.constantFrom(
        '',
        'Connection: Upgrade\r\nUpgrade: x\r\n',
        'Expect: 100-continue\r\nContent-Length: 0\r\n',
      ),
      async (some, fields) => {
        parts = some;
        const client = await rawClient(proxy);
        client.send(`GET http://${origin.place}/ HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
        await Promise.race([client.until('\r\n\r\n').catch(() => {}), client.all()]);
        client.socket.destroy();
      },
    ),
    { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 2000 },
  );
  await eventually(() => proxy.clients.size).toBe(0);
});

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Bytes that repeat nowhere near. */
function pattern(length: number): Buffer {
  const words = new Uint32Array(length / 4);
  let state = 1;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return Buffer.from(words.buffer);
}

/** Bytes that this process holds after everything that can be freed has been. */
async function bytesHeld(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let time = 0; time < 3; time++) {
    collect();
    await new Promise(resolve => setImmediate(resolve));
  }
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}
