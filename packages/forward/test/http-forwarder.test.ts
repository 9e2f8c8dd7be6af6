import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { answerTo, curl, rawClient, statusIn } from './support/client.ts';
import { testFront } from './support/front.ts';
import { httpOrigin, rawOrigin, tcpOrigin } from './support/origins.ts';

async function textOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  message.on('data', part => parts.push(part));
  await once(message, 'end');
  return Buffer.concat(parts).toString();
}

/** An origin that tells what it was asked. */
function mirror(name = 'mirror') {
  return httpOrigin(({ method, url, headers, rawTrailers }, response) => {
    response.setHeader('x-origin', name);
    response.end(JSON.stringify({ method, url, headers, rawTrailers }));
  });
}

describe('a plain request', () => {
  it('reaches its origin with the path alone, and its own Host', async () => {
    const proxy = await testFront();
    const { place } = await mirror();
    const { code, stdout } = await curl(proxy, '-H', 'X-Mine: 1', `http://user:word@${place}/a/b?c=d%20e`);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      method: 'GET',
      url: '/a/b?c=d%20e',
      headers: { host: place, 'x-mine': '1' },
    });
  });

  it('takes Host from its target, whatever the client says', async () => {
    const proxy = await testFront();
    const { place } = await mirror();
    const answer = await answerTo(
      proxy,
      `GET http://${place} HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toContain(`"url":"/","headers":{"host":"${place}"`);
  });

  it('is passed on without what is between client and proxy only', async () => {
    const proxy = await testFront();
    let seen: IncomingHttpHeaders = {};
    const { place } = await httpOrigin(({ headers }, response) => {
      seen = headers;
      response.writeHead(200, {
        Connection: 'keep-alive, X-Hop',
        'Keep-Alive': 'timeout=99',
        'X-Hop': 'secret',
        'Proxy-Authenticate': 'Basic',
        'X-End': 'to end',
      });
      response.end('body');
    });
    const answer = await answerTo(
      proxy,
      [
        `GET http://${place}/ HTTP/1.1`,
        `Host: ${place}`,
        'Proxy-Connection: keep-alive',
        'Proxy-Authorization: Basic eDp5',
        'Keep-Alive: 300',
        'TE: trailers',
        'Trailer: X-T',
        'Connection: close, X-Private, Host, Content-Length',
        'X-Private: for the proxy',
        'X-Public: for the origin',
        '\r\n',
      ].join('\r\n'),
    );
    expect(seen).toEqual({ host: place, 'x-public': 'for the origin', connection: 'keep-alive' });
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toContain('X-End: to end\r\n');
    expect(answer).not.toMatch(/x-hop|timeout=99|proxy-/i);
  });

  it('keeps the order, the case and the repetitions of fields, both ways', async () => {
    const proxy = await testFront();
    let seen: string[] = [];
    const { place } = await httpOrigin(({ rawHeaders }, response) => {
      seen = rawHeaders;
      response.writeHead(200, ['Set-Cookie', 'a=1', 'x-B', 'two', 'Set-Cookie', 'c=3', 'X-Latin', 'caf\xe9']);
      response.end();
    });
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: ${place}\r\nx-B: 1\r\nX-a: 2\r\nx-B: 3\r\nConnection: close\r\n\r\n`,
    );
    expect(seen).toEqual(['Host', place, 'x-B', '1', 'X-a', '2', 'x-B', '3', 'Connection', 'keep-alive']);
    expect(answer).toContain('Set-Cookie: a=1\r\nx-B: two\r\nSet-Cookie: c=3\r\nX-Latin: caf\xe9\r\n');
  });

  it('keeps one connection over several origins, and one to each of them', async () => {
    const proxy = await testFront();
    const origins = await Promise.all([mirror('one'), mirror('two')]);
    const client = await rawClient(proxy);
    for (const [at, name] of [...'010011'].map(digit => [Number(digit), digit === '0' ? 'one' : 'two'])) {
      const place = origins[Number(at)]?.place;
      client.send(`GET http://${place}/ HTTP/1.1\r\nHost: ${place}\r\n\r\n`);
      expect(await client.until('"rawTrailers":[]}')).toContain(`x-origin: ${name}\r\n`);
    }
    expect(origins.map(({ sockets }) => sockets.length)).toEqual([1, 1]);
  });

  it('may be sent before the answer to the one ahead: the answers come in order', async () => {
    const proxy = await testFront();
    const slow = await httpOrigin((_request, response) => void setImmediate(() => response.end('first')));
    const quick = await httpOrigin((_request, response) => void response.end('second'));
    const requests = [slow.place, quick.place].map(place => `GET http://${place}/ HTTP/1.1\r\nHost: x\r\n`);
    const answer = await answerTo(proxy, `${requests[0]}\r\n${requests[1]}Connection: close\r\n\r\n`);
    expect(answer.match(/first|second/g)).toEqual(['first', 'second']);
  });

  it('carries a chunked body and its trailers to the origin, and those of the answer back', async () => {
    const proxy = await testFront();
    let seen: unknown;
    const { place } = await httpOrigin(async (request, response) => {
      const body = await textOf(request);
      seen = { body, coding: request.headers['transfer-encoding'], trailers: request.rawTrailers };
      response.writeHead(200, { Trailer: 'X-Sum' });
      response.write('an ');
      response.addTrailers({ 'X-Sum': 'done' });
      response.end('answer');
    });
    const answer = await answerTo(
      proxy,
      `POST http://${place}/ HTTP/1.1\r\nHost: ${place}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n` +
        '3;extension=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Check: 5\r\n\r\n',
    );
    expect(seen).toEqual({ body: 'abcde', coding: 'chunked', trailers: ['X-Check', '5'] });
    // How an origin cuts its body into chunks is its own affair.
    expect(answer.replace(/(?<=\r\n)\d\r\n(?=an|answer)|\r\n6\r\n/g, '')).toMatch(
      /\r\n\r\nan answer\r\n0\r\nX-Sum: done\r\n\r\n$/,
    );
  });

  for (const framing of [
    'Content-Length: 3\r\n\r\nabc',
    'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
  ]) {
    it(`has the same framing for the origin whatever its method: ${framing.split(':')[0]}`, async () => {
      const proxy = await testFront();
      const seen: unknown[] = [];
      const { place } = await httpOrigin(async (request, response) => {
        const body = await textOf(request);
        seen.push([request.method, body]);
        response.end();
      });
      const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
      for (const method of methods) {
        await answerTo(
          proxy,
          `${method} http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${framing}`,
        );
      }
      expect(seen).toEqual(methods.map(method => [method, 'abc']));
    });
  }

  it('without a body says so to the origin, where its method has one', async () => {
    const proxy = await testFront();
    const { place } = await mirror();
    const ask = async (method: string) => {
      const { stdout } = await curl(proxy, '-X', method, `http://${place}/`);
      const { headers } = JSON.parse(stdout);
      return [headers['content-length'], headers['transfer-encoding']];
    };
    expect(await ask('POST')).toEqual(['0', undefined]);
    expect(await ask('PUT')).toEqual(['0', undefined]);
    expect(await ask('GET')).toEqual([undefined, undefined]);
    expect(await ask('DELETE')).toEqual([undefined, undefined]);
  });

  it('is refused with 501 when its body has a coding that this proxy cannot take off', async () => {
    const proxy = await testFront();
    const { place, sockets } = await mirror();
    const answer = await answerTo(
      proxy,
      `POST http://${place}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n`,
    );
    expect(statusIn(answer)).toBe(501);
    expect(sockets).toHaveLength(0);
  });

  it('of HTTP/1.0 is answered without chunks, and the connection is closed', async () => {
    const proxy = await testFront();
    const { place } = await httpOrigin((_request, response) => {
      response.write('in two ');
      response.end('pieces');
    });
    const answer = await answerTo(proxy, `GET http://${place}/ HTTP/1.0\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).not.toMatch(/transfer-encoding/i);
    expect(answer).toMatch(/\r\n\r\nin two pieces$/);
  });

  it('is passed on before its body begins', async () => {
    const proxy = await testFront();
    const { place } = await httpOrigin((request, response) => {
      response.end('no need for a body');
      request.resume();
    });
    const client = await rawClient(proxy);
    client.send(`POST http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n`);
    expect(await client.until('no need for a body')).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('an answer', () => {
  it('is passed on before its body begins', async () => {
    const proxy = await testFront();
    const { place } = await httpOrigin((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
    });
    const client = await rawClient(proxy);
    client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await client.until('\r\n\r\n')).toContain('text/event-stream');
  });

  for (const [what, method, head] of [
    ['to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nX-Mark: 1\r\n\r\n'],
    ['to HEAD, chunked', 'HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mark: 1\r\n\r\n'],
    ['with 204', 'GET', 'HTTP/1.1 204 No Content\r\nX-Mark: 1\r\n\r\n'],
    ['with 304', 'GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\nX-Mark: 1\r\n\r\n'],
  ] as const) {
    it(`${what} has no body, and the connection goes on`, async () => {
      const proxy = await testFront();
      const { place } = await rawOrigin(head, socket => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext'));
      });
      const client = await rawClient(proxy);
      client.send(`${method} http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
      const first = await client.until('\r\n\r\n');
      expect(first).toContain('X-Mark: 1\r\n');
      expect(first.includes('Content-Length: 1000')).toBe(head.includes('1000'));
      client.send(`GET http://${place}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
      expect(await client.until('next')).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Length: 4\r\n/);
    });
  }

  it('that ends with its connection is passed on as a whole one', async () => {
    const proxy = await testFront();
    const { place } = await rawOrigin('HTTP/1.0 200 OK\r\n\r\nold but whole', socket => socket.end());
    expect(await curl(proxy, `http://${place}/`)).toEqual({ code: 0, stdout: 'old but whole', stderr: '' });
  });

  it('keeps its status text, and invents no date', async () => {
    const proxy = await testFront();
    const { place } = await rawOrigin('HTTP/1.1 299 Caf\xe9 open\r\nContent-Length: 0\r\n\r\n');
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toBe('HTTP/1.1 299 Caf\xe9 open\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
});

describe('Expect: 100-continue', () => {
  it('is answered by the origin', async () => {
    const proxy = await testFront();
    const got: string[] = [];
    const { place } = await tcpOrigin(socket => {
      socket.once('data', head => {
        got.push(String(head));
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        socket.once('data', body => {
          got.push(String(body));
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthank');
        });
      });
    });
    const client = await rawClient(proxy);
    client.send(
      `PUT http://${place}/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
    );
    expect(await client.until('\r\n\r\n')).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    client.send('body');
    expect(await client.until('thank')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(got[0]).toMatch(/\r\nExpect: 100-continue\r\n/);
    expect(got[1]).toBe('body');
  });

  it('lets the origin refuse before the body is sent', async () => {
    const proxy = await testFront();
    const { place } = await tcpOrigin(socket => {
      socket.once('data', () => socket.write('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n'));
    });
    const client = await rawClient(proxy);
    client.send(
      `PUT http://${place}/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`,
    );
    expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1\.1 417 No\r\n/);
  });

  it('ends the connection where an answer comes in its place: the next bytes could be the body or another request', async () => {
    const proxy = await testFront();
    const seen: string[] = [];
    const { place } = await tcpOrigin(socket => {
      socket.on('data', bytes => {
        seen.push(String(bytes));
        socket.write('HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno');
      });
    });
    const client = await rawClient(proxy);
    const head = `PUT http://${place}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n`;
    client.send(`${head}Expect: 100-continue\r\n\r\n`);
    expect(await client.until('no')).toMatch(/^HTTP\/1\.1 417 No\r\n(.+\r\n)*Connection: close\r\n/);
    client.send(`${head}\r\nbody`);
    expect(await client.all()).not.toContain('HTTP/1.1 400');
    expect(seen.join('').match(/PUT /g)).toHaveLength(1);
  });

  it('of HTTP/1.0 gets no answer that such a client does not know', async () => {
    const proxy = await testFront();
    const { place } = await rawOrigin(
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const answer = await answerTo(
      proxy,
      `PUT http://${place}/ HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('early hints', () => {
  it('are passed on', async () => {
    const proxy = await testFront();
    const { place } = await rawOrigin(
      'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>; rel=preload\r\n\r\n' +
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    );
    const answer = await answerTo(
      proxy,
      `GET http://${place}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 103 Early Hints\r\n/);
    expect(answer).toContain('</a.css>; rel=preload');
    expect(answer).toContain('</b.js>; rel=preload');
    expect(answer).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  });
});
