import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { allOf } from './support/client.ts';
import { httpOrigin, tcpOrigin } from './support/origins.ts';
import { proxyWithRelay, straightProxy, ways } from './support/ways.ts';

/** An origin that sends back the bytes of the request; its body has to have ended with a full stop. */
function mirror() {
  return tcpOrigin(socket => {
    let text = '';
    socket.on('data', bytes => {
      text += bytes.toString('latin1');
      if (!text.includes('\r\n\r\n') || (/content-length: [1-9]/i.test(text) && !text.endsWith('.'))) return;
      socket.write(Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`, 'latin1'));
      text = '';
    });
  });
}

describe.each(Object.entries(ways))('by %s, a request', (_name, open) => {
  it('may have any method that RFC 9110 allows', async () => {
    const way = await open();
    const place = await mirror();
    const methods =
      'VERSION-CONTROL UPDATE LABEL BITS_POST RPC_IN_DATA BATCH FOO BASELINE-CONTROL ORDERPATCH M-SEARCH PROPFIND SEARCH QUERY';
    for (const method of [...methods.split(' '), "!#$%&'*+-.^_`|~"]) {
      const headers = { 'content-length': '3' };
      const { status, body } = await way.ask(place, { method, headers, body: ['hi.'] });
      expect([status, body.split(' ', 1)[0], body.slice(-3)]).toEqual([200, method, 'hi.']);
    }
  });

  it('may have 250 fields', async () => {
    const way = await open();
    const headers = Object.fromEntries(Array.from({ length: 250 }, (_, at) => [`X-${at}`, 'y']));
    const { status, body } = await way.ask(await mirror(), { headers });
    expect([status, body.match(/^x-\d+: y\r$/gim)?.length]).toEqual([200, 250]);
  });

  it('is told of hints, with several links in one field, and of processing', async () => {
    const way = await open();
    const links = '</a.css>; rel=preload, </b.js>; rel="preload"; as=script, <no link';
    const place = await tcpOrigin(socket => {
      socket.once('data', () =>
        socket.write(
          `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: ${links}\r\n\r\n` +
            'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
        ),
      );
    });
    expect(await way.ask(place)).toMatchObject({
      status: 200,
      informed: [
        [102, ''],
        [103, links],
      ],
    });
  });
});

describe.each([
  ['a gateway, straight', straightProxy],
  ['a gateway and its relay', proxyWithRelay],
])('by %s, a client', (_name, proxyOf) => {
  /** Sends bytes, ends its direction, and reads what comes. */
  async function halfClosing(text: string, origin: { port: number }): Promise<string> {
    const { connect, host } = await proxyOf();
    const socket = (await connect()) as Socket;
    socket.end(Buffer.from(text.replaceAll('ORIGIN', `${host}:${origin.port}`), 'latin1'));
    return (await allOf(socket)).toString('latin1');
  }

  it.each([
    ['in HTTP/1.0', 'GET http://ORIGIN/a HTTP/1.0\r\n\r\n'],
    ['in HTTP/1.1', 'GET http://ORIGIN/a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['with a body', 'POST http://ORIGIN/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nhi.'],
    ['with a fragment', 'GET http://ORIGIN/a#b HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['with lines that end in LF', 'GET http://ORIGIN/a HTTP/1.1\nHost: x\n\n'],
    ['with a folded field', 'GET http://ORIGIN/a HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n'],
    [
      'with the same length twice',
      'POST http://ORIGIN/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nhi.',
    ],
    ['with more blanks', 'GET   http://ORIGIN/a\t HTTP/1.1 \r\nHost: x\r\n\r\n'],
    ['with control characters', 'GET http://ORIGIN/a HTTP/1.1\r\nHost: x\r\nX-A: b\x01c\r\n\r\n'],
    ['of a WebSocket by its own scheme', 'GET ws://ORIGIN/a HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('that half-closes behind its request %s gets its answer, of one meaning', async (_what, text) => {
    const answer = await halfClosing(text, await mirror());
    const method = text.split(' ', 1)[0];
    expect(answer).toMatch(
      new RegExp(`^HTTP/1\\.1 200 OK\r\n(.+\r\n)+\r\n${method} /a HTTP/1\\.1\r\nHost: \\S+\r\n`),
    );
    expect(answer.split('\r\n\r\n').join('').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
    expect(answer.match(/content-length: 3/gi)?.length ?? 0).toBe(text.includes('hi.') ? 1 : 0);
    for (const [field] of text.matchAll(/X-A: b.*c/gs)) expect(answer).toContain(field.replace('\r\n', ''));
  });

  it('may have bytes beyond ASCII in its target, which come as browsers write them', async () => {
    const answer = await halfClosing(
      'GET http://ORIGIN/b\xc3\xbc?q=\xe9 HTTP/1.1\r\nHost: x\r\n\r\n',
      await mirror(),
    );
    expect(answer).toContain('GET /b%C3%BC?q=%E9 HTTP/1.1\r\n');
  });

  it('may have a query of 30 kB', async () => {
    const query = 'b'.repeat(30_000);
    const answer = await halfClosing(
      `GET http://ORIGIN/a?${query} HTTP/1.1\r\nHost: x\r\n\r\n`,
      await mirror(),
    );
    expect(answer).toContain(`GET /a?${query} HTTP/1.1\r\n`);
  });

  it('that half-closes gets all of a slow and long answer', async () => {
    const place = await httpOrigin((_message, response) => {
      response.write('x'.repeat(1_000_000));
      setTimeout(() => response.end('y'.repeat(1_000_000)), 300);
    });
    const answer = await halfClosing('GET http://ORIGIN/ HTTP/1.0\r\n\r\n', place);
    expect(answer.split('\r\n\r\n')[1]?.length).toBe(2_000_000);
  });

  it('that half-closes behind several requests gets all answers', async () => {
    const one = 'GET http://ORIGIN/a HTTP/1.1\r\nHost: x\r\n\r\n';
    const answer = await halfClosing(one.repeat(3), await mirror());
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(3);
  });

  it('that has gone, rather than half-closed, is not waited for', async () => {
    const { connect, host } = await proxyOf();
    const place = await tcpOrigin(socket => void socket.resume());
    const socket = (await connect()) as Socket;
    socket.write(`GET http://${host}:${place.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(() => place.sockets.size, { timeout: 10_000 }).toBe(1);
    socket.destroy();
    const [asked] = place.sockets;
    await expect.poll(() => asked?.readableEnded || asked?.destroyed, { timeout: 10_000 }).toBe(true);
  });
});
