import { ManypathError } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { ProxyRefusal } from '../src/index.ts';
import { answerTo, curl, eventually, rawClient, statusIn } from './support/client.ts';
import { deferred } from './support/deferred.ts';
import { testFront } from './support/front.ts';
import { httpOrigin, nowhere, rawOrigin, tcpOrigin } from './support/origins.ts';

/** Heads that two programs may read differently: whoever passes them on can be used to smuggle requests. */
const smuggling: Record<string, (place: string) => string> = {
  'two lengths': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef`,
  'a list of lengths': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 6\r\n\r\nabcdef`,
  'length and coding': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'coding and length': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
  'a length with a sign': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde`,
  'a length in hexadecimal': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nabcde`,
  'an obscured coding': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
  'a coding that is not the last': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
  'a blank before the colon': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
  'a bare carriage return': place => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n`,
  'a zero byte': place => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n`,
  'a folded length': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 5\r\n\r\nabcde`,
  'a folded coding': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  'a folded field ahead of any': place =>
    `POST http://${place}/ HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: x\r\n\r\n0\r\n\r\n`,
  'a coding behind a vertical tab': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
  'two codings in two fields': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`,
  'a coding in HTTP/1.0': place =>
    `POST http://${place}/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'a chunk whose line ends in LF': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n`,
  'a chunk that ends in LF': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n`,
  'a bare carriage return in the extension of a chunk': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a\rb\r\nabc\r\n0\r\n\r\n`,
  'a blank behind the size of a chunk': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n`,
  'a field without a colon': place => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n`,
  'two hosts': place => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n`,
  'no host': place => `GET http://${place}/ HTTP/1.1\r\n\r\n`,
  'a chunk size with a sign': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n`,
  'a chunk that is longer than it says': place =>
    `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
};

describe.each(Object.entries(smuggling))('a request with %s', (_what, text) => {
  for (const place of ['first', 'second'] as const) {
    it(`is refused as the ${place} of a connection, and nothing behind it is obeyed`, async () => {
      const proxy = await testFront();
      const asked: string[] = [];
      const origin = await tcpOrigin(socket => {
        socket.on('data', got => asked.push(got.toString('latin1')));
      });
      const harmless = await httpOrigin((_request, response) => void response.end('fine'));
      const client = await rawClient(proxy);
      if (place === 'second') {
        client.send(`GET http://${harmless.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
        await client.until('fine');
      }
      client.send(`${text(origin.place)}GET http://${origin.place}/smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
      const answer = await client.all();
      // Whoever has seen a broken chunk only after passing on the head breaks off instead of answering.
      if (answer !== '') expect(statusIn(answer)).toBe(400);
      expect(asked.join('')).not.toContain('smuggled');
    });
  }
});

describe('a connection', () => {
  for (const [what, text] of [
    ['noise', '\x80\x01\x02\x03\x04\x05\x06\x07\x08\x09'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a request to the proxy itself', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['a request for https', 'GET https://a.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
    ['CONNECT without a port', 'CONNECT a.example HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a target with port 0', 'GET http://a.example:0/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'],
  ] as const) {
    it(`with ${what} is refused with 4xx or 505, and closed`, async () => {
      const proxy = await testFront();
      expect([400, 505]).toContain(statusIn(await answerTo(proxy, text)));
      await eventually(() => proxy.clients.size).toBe(0);
    });
  }

  const limits = { forwardHeadBytes: 8192 };
  const long = 'a'.repeat(9000);
  const fields = 'X:\r\n'.repeat(1001);
  for (const [what, status, request] of [
    [
      'a field that is too long',
      431,
      (place: string) => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nX: ${long}\r\n\r\n`,
    ],
    ['too many fields', 431, (place: string) => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\n${fields}\r\n`],
    [
      'a target that is too long',
      414,
      (place: string) => `GET http://${place}/${long} HTTP/1.1\r\nHost: x\r\n\r\n`,
    ],
  ] as const) {
    it(`with ${what} is refused with ${status}`, async () => {
      const proxy = await testFront({ limits });
      expect(statusIn(await answerTo(proxy, request('127.0.0.1:9')))).toBe(status);
    });

    it(`with ${what} in its second request is refused with 4xx, and no origin is asked`, async () => {
      const proxy = await testFront({ limits });
      const origin = await httpOrigin((_request, response) => void response.end('fine'));
      const client = await rawClient(proxy);
      client.send(`GET http://${origin.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
      await client.until('fine');
      const untouched = await tcpOrigin(() => {});
      client.send(request(untouched.place));
      expect([414, 431]).toContain(statusIn(await client.until('\r\n\r\n')));
      expect(untouched.sockets).toHaveLength(0);
    });
  }

  it('whose request does not end in time is answered 408, and closed', async () => {
    const proxy = await testFront({ limits: { requestHeadMs: 50 } });
    const client = await rawClient(proxy);
    client.send('GET http://a.example/ HTTP/1.1\r\nHo');
    expect(statusIn(await client.all())).toBe(408);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('that says nothing is answered 408, and closed', async () => {
    const proxy = await testFront({ limits: { requestHeadMs: 50 } });
    expect(statusIn(await (await rawClient(proxy)).all())).toBe(408);
  });

  it('whose second request does not end in time is answered 408, and closed', async () => {
    const proxy = await testFront({ limits: { requestHeadMs: 50 } });
    const { place } = await httpOrigin((_request, response) => void response.end('fine'));
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('fine');
    client.send('GET http://a.example/ HTTP/1.1\r\nHo');
    expect(statusIn(await client.all())).toBe(408);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('that waits too long for its next request is closed', async () => {
    const proxy = await testFront({ limits: { keepAliveMs: 50 } });
    const { place } = await httpOrigin((_request, response) => void response.end('fine'));
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('fine');
    expect(await client.all()).toBe('');
  });

  it('whose client does not close after a refusal is closed all the same', async () => {
    const proxy = await testFront();
    const { place } = await httpOrigin((_request, response) => void response.end('fine'));
    const client = await rawClient(proxy, { allowHalfOpen: true });
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('fine');
    client.send('noise\r\n\r\n');
    expect(statusIn(await client.all())).toBe(400);
    await eventually(() => proxy.clients.size).toBe(0);
  });

  it('with noise behind a request gets the refusal behind the answer, never into its body', async () => {
    const proxy = await testFront();
    const goOn = deferred<void>();
    const { place } = await httpOrigin((_request, response) => {
      response.writeHead(200, { 'Content-Length': '8' });
      response.write('half');
      void goOn.promise.then(() => response.end('time'));
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('half');
    client.send('\x01\x02noise\r\n\r\n');
    goOn.resolve();
    expect(await client.all()).toMatch(/^timeHTTP\/1\.1 400 /);
  });
});

describe('a target', () => {
  it('where nobody listens is answered 502, for CONNECT too', async () => {
    const proxy = await testFront();
    const place = await nowhere();
    const plain = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusIn(plain)).toBe(502);
    expect(plain).toContain('Proxy-Status: manypath; error=');
    expect(statusIn(await answerTo(proxy, `CONNECT ${place} HTTP/1.1\r\n\r\n`))).toBe(502);
  });

  it('that does not begin its answer in time is answered 504', async () => {
    const proxy = await testFront({ limits: { responseHeadMs: 50 } });
    const { place, sockets } = await tcpOrigin(socket => void socket.resume());
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusIn(answer)).toBe(504);
    expect(answer).toContain('[MANYPATH_FORWARD_RESPONSE_TIMEOUT]');
    await eventually(() => sockets[0]?.readableEnded || sockets[0]?.destroyed).toBe(true);
  });

  it('that has begun its answer may take its time', async () => {
    const proxy = await testFront({ limits: { responseHeadMs: 50 } });
    const silent = await tcpOrigin(socket => void socket.resume());
    const slow = await tcpOrigin(socket => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf'));
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${slow.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('half');
    // When one that has begun later has run out of time, so would this one have.
    await answerTo(proxy, `GET http://${silent.place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    slow.sockets[0]?.write('time');
    await client.until('time');
  });

  it.each([
    ['speaks no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['answers with a head that is too large', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(300_000)}\r\n\r\n`],
    ['answers with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['ends its lines in CR', 'HTTP/1.1 200 OK\rContent-Length: 0\r\r'],
  ])('that %s is answered 502', async (_what, head) => {
    const proxy = await testFront();
    const { place } = await rawOrigin(head, socket => socket.end());
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(statusIn(answer)).toBe(502);
  });

  it.each([
    ['control characters in its status text', 'HTTP/1.1 200 a\x01b\r\nContent-Length: 2\r\n\r\nok'],
    [
      'hints that are no links',
      'HTTP/1.1 103 E\r\nLink: garbage\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    ],
    [
      'hints without end',
      `${'HTTP/1.1 103 E\r\nLink: <a>\r\n\r\n'.repeat(500)}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`,
    ],
    ['an unknown 1xx', 'HTTP/1.1 142 What\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'],
  ])('may have %s, and does no harm', async (_what, text) => {
    const proxy = await testFront();
    const { place } = await rawOrigin(text);
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/HTTP\/1\.1 (200|502) /);
    expect(answer).not.toContain('\x01');
  });

  it('that closes without an answer is answered 502, and the connection goes on', async () => {
    const proxy = await testFront();
    const { place } = await tcpOrigin(socket => socket.once('data', () => socket.end()));
    const fine = await httpOrigin((_request, response) => void response.end('fine'));
    const client = await rawClient(proxy);
    client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody`);
    expect(statusIn(await client.until('\r\n\r\n'))).toBe(502);
    client.send(`GET http://${fine.place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('fine');
  });

  it('that has closed a kept connection meanwhile is asked again', async () => {
    const proxy = await testFront();
    let connections = 0;
    const { place } = await tcpOrigin(socket => {
      connections += 1;
      const number = connections;
      let asked = 0;
      socket.on('data', () => {
        asked += 1;
        // A kept connection that is closed just when the next request comes in.
        if (number === 1 && asked === 2) socket.resetAndDestroy();
        else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nround`);
      });
    });
    const client = await rawClient(proxy);
    for (let round = 0; round < 2; round++) {
      client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(statusIn(await client.until('round'))).toBe(200);
    }
    expect(connections).toBe(2);
  });

  it('is not asked again for what may not be done twice', async () => {
    const proxy = await testFront();
    let requests = 0;
    const { place } = await tcpOrigin(socket => {
      socket.on('data', () => {
        requests += 1;
        if (requests === 2) socket.resetAndDestroy();
        else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nround`);
      });
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until('round');
    client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
    expect(statusIn(await client.until('\r\n\r\n'))).toBe(502);
    expect(requests).toBe(2);
  });
});

describe('what authorize throws', () => {
  const authorize = () => {
    throw new ProxyRefusal(407, 'MANYPATH_TEST_REFUSED', 'who are you?', {
      headers: [['Proxy-Authenticate', 'Basic realm="test"']],
    });
  };

  it('is the answer to every kind of request, before anything is dialled', async () => {
    const proxy = await testFront({ authorize });
    const { place } = await tcpOrigin(() => {});
    for (const request of [
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      `CONNECT ${place} HTTP/1.1\r\nHost: x\r\n\r\n`,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    ]) {
      const answer = await answerTo(proxy, request);
      expect(statusIn(answer)).toBe(407);
      expect(answer).toContain('\r\nProxy-Authenticate: Basic realm="test"\r\n');
    }
    expect(proxy.dialled).toEqual([]);
  });

  it('does not show what an unforeseen error says', async () => {
    const dial = () => Promise.reject(new Error('the secret is plugh'));
    const answer = await answerTo(
      await testFront({ dial }),
      'GET http://a.example/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    );
    expect(statusIn(answer)).toBe(502);
    expect(answer).not.toContain('plugh');
  });

  it('is a page for a browser, in which nothing of it is markup', async () => {
    const dial = () =>
      Promise.reject(new ManypathError('MANYPATH_TEST', '<script>alert(1)</script> & "more"'));
    const { stdout } = await curl(await testFront({ dial }), '-H', 'Accept: text/html', 'http://a.example/');
    expect(stdout).toContain('&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;');
    expect(stdout).not.toContain('<script>');
  });
});
