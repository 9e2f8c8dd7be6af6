import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { allOf, curl, dial, tunnelTo, urlOf } from './support/client.ts';
import { echoOrigin, httpOrigin } from './support/origins.ts';
import { startGateway, until } from './support/scope.ts';

const quick = { firstByteMs: 150, headMs: 150, lingerMs: 100 };

async function answerTo(bytes: Uint8Array | string, options = {}): Promise<string> {
  const gateway = await startGateway(options);
  const socket = await dial(gateway.proxy);
  socket.write(bytes);
  const answer = (await allOf(socket)).toString();
  // Whatever happened, the next client is served.
  const origin = await httpOrigin((_, response) => response.end('fine'));
  expect(await curl('-x', urlOf(gateway), `http://127.0.0.1:${origin.port}/`)).toMatchObject({
    stdout: 'fine',
  });
  return answer;
}

describe('a client that does not behave', () => {
  it.each([
    ['binary noise', randomBytes(64).fill(0x80, 0, 1), 400, 'MANYPATH_HTTP_HEAD_INVALID'],
    ['a TLS handshake', Buffer.from('16030100c8010000c4', 'hex'), 400, 'MANYPATH_NOT_A_PROXY_REQUEST'],
    ['no HTTP', 'hello there\r\n\r\n', 400, 'MANYPATH_HTTP_HEAD_INVALID'],
    ['CONNECT without a port', 'CONNECT example.org HTTP/1.1\r\n\r\n', 400, 'MANYPATH_AUTHORITY_INVALID'],
    ['CONNECT to a URL', 'CONNECT http://example.org/ HTTP/1.1\r\n\r\n', 400, 'MANYPATH_AUTHORITY_INVALID'],
    [
      'a request for a web server',
      'GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n',
      400,
      'MANYPATH_FORWARD_NOT_ABSOLUTE',
    ],
    ['another scheme', 'GET ftp://example.org/ HTTP/1.0\r\n\r\n', 400, 'MANYPATH_PROXY_REQUEST_INVALID'],
    ['a folded Host', 'CONNECT a:1 HTTP/1.1\r\nHost: b\r\n c\r\n\r\n', 400, 'MANYPATH_HTTP_HEAD_INVALID'],
    [
      'too many headers',
      `CONNECT a:1 HTTP/1.1\r\n${'a: b\r\n'.repeat(2000)}\r\n`,
      431,
      'MANYPATH_HTTP_HEAD_TOO_LARGE',
    ],
    [
      'a header that never ends',
      `CONNECT a:1 HTTP/1.1\r\na: ${'b'.repeat(100_000)}`,
      431,
      'MANYPATH_HTTP_HEAD_TOO_LARGE',
    ],
    ['a target that never ends', `CONNECT ${'a'.repeat(100_000)}`, 414, 'MANYPATH_HTTP_HEAD_TOO_LARGE'],
  ])('gets an answer to %s', async (_name, bytes, status, code) => {
    const answer = await answerTo(bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain(code);
  });

  it.each([
    ['no request after the first bytes', 'CONN', 'HTTP/1.1 408 '],
    ['no SOCKS request after the greeting', Buffer.from([5, 1, 0]), '\u0005\u0000'],
    ['nothing at all', '', ''],
  ])('is not waited for: %s', async (_name, bytes, beginning) => {
    const answer = await answerTo(bytes, { limits: quick });
    expect(answer.slice(0, beginning.length || undefined)).toBe(beginning);
  });

  it('that sends a byte now and then is not waited for either', async () => {
    const gateway = await startGateway({ limits: quick });
    const socket = await dial(gateway.proxy);
    const drip = setInterval(() => socket.write('C'), 20);
    const answer = (await allOf(socket)).toString();
    clearInterval(drip);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('is told in SOCKS4 that there is no BIND, nor a host of such a name', async () => {
    for (const bytes of [
      [4, 2, 0, 80, 127, 0, 0, 1, 0],
      [4, 1, 0, 80, 0, 0, 0, 1, 0, 0x20, 0],
      [4, 1, 0, 80, 127, 0, 0, 1, ...new Array(300).fill(97)],
    ]) {
      const answer = await answerTo(Buffer.from(bytes));
      expect(Buffer.from(answer, 'latin1').toString('hex')).toBe('005b000000000000');
    }
  });

  it('is refused when there are too many, and let in when others are gone', async () => {
    const gateway = await startGateway({ limits: { connections: 2 } });
    const origin = await echoOrigin();
    const first = await tunnelTo(gateway.proxy, origin);
    await tunnelTo(gateway.proxy, origin);
    const refused = await dial(gateway.proxy);
    refused.write('CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n');
    const answer = (await allOf(refused)).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toContain('MANYPATH_TOO_MANY_CONNECTIONS');
    const socks = await dial(gateway.proxy);
    socks.write(Buffer.from([5, 1, 0]));
    expect((await allOf(socks)).toString('hex')).toBe('05ff');
    first.destroy();
    await until(() => gateway.status().connections.length === 1);
    await tunnelTo(gateway.proxy, origin);
  });

  it('leaves nothing behind, a hundred times over', async () => {
    const gateway = await startGateway({ limits: quick });
    const one = async (bytes: Uint8Array) => {
      const socket = await dial(gateway.proxy);
      socket.write(bytes);
      await allOf(socket);
      socket.destroy();
    };
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 20 }, (_, at) => one(randomBytes(1 + at * 500))));
    }
    await until(() => gateway.status().totals.connections === 0);
    expect(gateway.status().connections).toEqual([]);
  });

  it('is shown a page when it is a browser', async () => {
    const gateway = await startGateway();
    const { stdout } = await curl('-H', 'Accept: text/html', '-x', urlOf(gateway), 'http://127.0.0.1:1/');
    expect(stdout).toContain('<!doctype html>');
    expect(stdout).toContain('MPTCP_CONNECT_FAILED');
  });

  it('that breaks off while its target is dialled ends the dialling', async () => {
    const gateway = await startGateway({ lookup: () => new Promise(() => {}) });
    const socket = await dial(gateway.proxy);
    socket.write('CONNECT never.example:80 HTTP/1.1\r\n\r\n');
    await until(() => gateway.status().connections[0]?.state === 'dialling');
    socket.resetAndDestroy();
    await until(() => gateway.status().connections.length === 0);
  });
});
