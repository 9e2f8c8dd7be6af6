import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { tcpOrigin } from './support/origins.ts';
import { ways } from './support/ways.ts';

/** Sends `text` to whoever asks, and ends the connection where it is said so. */
function sloppyOrigin(text: string, { ends = false } = {}) {
  return tcpOrigin(socket => {
    socket.on('data', bytes => {
      if (!bytes.includes('\n\r\n')) return;
      socket.write(Buffer.from(text, 'latin1'));
      if (ends) socket.end();
    });
  });
}

const ok = 'HTTP/1.1 200 OK\r\n';
const five = 'Content-Length: 5\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n';
const inChunks = '5\r\nhello\r\n0\r\n\r\n';

/** What Chromium opens without a proxy. `ends`: only the end of the connection ends the answer. */
const forms: [what: string, text: string, ends?: boolean][] = [
  ['lines that end in LF', `HTTP/1.1 200 OK\nX-A: b\nContent-Length: 5\n\nhello`],
  ['lines that end in both ways', `${ok}X-A: b\n${five}\r\nhello`],
  ['the same length twice', `${ok}${five}X-A: b\r\n${five}\r\nhello`],
  ['the same length in a list', `${ok}Content-Length: 5, 5\r\n\r\nhello`],
  ['a length and chunks', `${ok}${five}${chunked}\r\n${inChunks}`],
  ['a wrong length and chunks', `${ok}Content-Length: 3\r\n${chunked}\r\n${inChunks}`],
  ['identity and a length', `${ok}Transfer-Encoding: identity\r\n${five}\r\nhello`],
  ['identity and no length', `${ok}Transfer-Encoding: identity\r\n\r\nhello`, true],
  ['chunked and identity', `${ok}Transfer-Encoding: chunked, identity\r\n\r\n${inChunks}`],
  ['a folded field', `${ok}X-A: a\r\n b\r\n${five}\r\nhello`],
  ['a folded length', `${ok}Content-Length:\r\n\t5\r\n\r\nhello`],
  ['blanks before colons', `${ok}X-A : a\r\nContent-Length \t: 5\r\n\r\nhello`],
  ['control characters in a value', `${ok}X-A: a\x01b\x7f\r\n${five}\r\nhello`],
  ['a zero byte and a bare CR in values', `${ok}X-A: a\0b\r\nX-B: a\rb\r\n${five}\r\nhello`],
  ['bytes beyond ASCII in values', `${ok}X-A: caf\xe9 \xc3\xa9\r\n${five}\r\nhello`],
  ['the status line of a radio', 'ICY 200 OK\r\nicy-name: radio\r\n\r\nhello', true],
  ['no head at all', 'hello', true],
  ['no reason', `HTTP/1.1 200\r\n${five}\r\nhello`],
  ['no status', `HTTP/1.1\r\n${five}\r\nhello`],
  ['the protocol in lower case', `http/1.1 200 ok\r\n${five}\r\nhello`],
  ['no version', `HTTP 200 OK\r\n${five}\r\nhello`],
  ['another version', `HTTP/1.2 200 OK\r\n${five}\r\nhello`],
  ['the version of another protocol', `HTTP/2 200\r\n${five}\r\nhello`],
  ['more blanks in the status line', `HTTP/1.1  200   OK\r\n${five}\r\nhello`],
  ['several CR before the LF of lines', `HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\r\nhello`],
  ['empty lines before it', `\r\n\n${ok}${five}\r\nhello`],
  ['stray bytes before it', `\xef\xbb\xbf${ok}${five}\r\nhello`],
  ['a line without a colon', `${ok}nothing at all\r\n${five}\r\nhello`],
  ['an empty name', `${ok}: a\r\n${five}\r\nhello`],
  ['a name that is none', `${ok}X(A): a\r\nX A: b\r\n${five}\r\nhello`],
  ['a negative length', `${ok}Content-Length: -1\r\n\r\nhello`, true],
  ['a length that is no number', `${ok}Content-Length: many\r\n\r\nhello`, true],
  ['an empty length', `${ok}Content-Length:\r\n\r\nhello`, true],
  ['blanks around the sizes of chunks', `${ok}${chunked}\r\n5  \r\nhello\r\n0 \r\n\r\n`],
  ['extensions of chunks', `${ok}${chunked}\r\n5;a=b;"c\r\nhello\r\n0;\r\n\r\n`],
  ['zeros before the sizes of chunks', `${ok}${chunked}\r\n00000005\r\nhello\r\n000\r\n\r\n`],
  ['chunks whose lines end in LF', `${ok}${chunked}\r\n5\nhello\n0\n\n`],
  ['nothing behind the last chunk', `${ok}${chunked}\r\n5\r\nhello\r\n0\r\n`, true],
  ['chunks in HTTP/1.0', `HTTP/1.0 200 OK\r\n${chunked}\r\n${inChunks}`],
  ['keep-alive in HTTP/1.0', `HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n${five}\r\nhello`],
  [
    'a Connection that names everything',
    `${ok}Connection: keep-alive, content-length, x-a, ,\r\nX-A: b\r\n${five}\r\nhello`,
  ],
  ['more than it said', `${ok}${five}\r\nhello and more`],
  ['another answer behind it', `${ok}${five}\r\nhello${ok}${five}\r\nevil!`],
  ['two thousand fields', `${ok}${'X-Many: y\r\n'.repeat(2000)}${five}\r\nhello`],
  ['a head of 200 kB', `${ok}${`X-A: ${'a'.repeat(9_993)}\r\n`.repeat(20)}${five}\r\nhello`],
  ['a large field', `${ok}X-A: ${'a'.repeat(60_000)}\r\n${five}\r\nhello`],
];

describe.each(Object.entries(ways))('by %s, an origin', (name, open) => {
  for (const [what, text, ends = false] of forms) {
    it(`whose answer has ${what} is understood, and the next request is not harmed`, async () => {
      const way = await open();
      const place = await sloppyOrigin(text, { ends });
      for (let round = 0; round < 2; round++)
        expect(await way.ask(place)).toMatchObject({ status: 200, body: 'hello', whole: true });
      const fine = await sloppyOrigin(`${ok}${five}\r\nafter`);
      expect(await way.ask(fine)).toMatchObject({ status: 200, body: 'after', whole: true });
    });
  }

  it.each([
    ['204 with a body', `HTTP/1.1 204 No Content\r\n${five}\r\nhello`, 204],
    ['204 in chunks', `HTTP/1.1 204 No Content\r\n${chunked}\r\n${inChunks}`, 204],
    ['304 with a body', `HTTP/1.1 304 Not Modified\r\n${five}\r\nhello`, 304],
    ['205 with a body', `HTTP/1.1 205 Reset Content\r\n${five}\r\nhello`, 205],
  ])('that answers %s is taken at its status', async (_what, text, status) => {
    const way = await open();
    const place = await sloppyOrigin(text);
    for (let round = 0; round < 2; round++)
      expect(await way.ask(place)).toMatchObject({ status, body: '', whole: true });
  });

  it.each(['000', '099', '20', '2000'])(
    'that answers with status %s fails, and its body is shown',
    async status => {
      const way = await open();
      const place = await sloppyOrigin(`HTTP/1.1 ${status} Odd\r\n${five}\r\nhello`);
      for (let round = 0; round < 2; round++)
        expect(await way.ask(place)).toMatchObject({ status: 500, body: 'hello', whole: true });
    },
  );

  it.each([600, 999])(
    'that answers with status %i is taken at it, or as a failure where there is none',
    async status => {
      const way = await open();
      const place = await sloppyOrigin(`HTTP/1.1 ${status} Odd\r\n${five}\r\nhello`);
      const { status: seen, body, whole } = await way.ask(place);
      expect([status, 500]).toContain(seen);
      expect({ body, whole }).toEqual({ body: 'hello', whole: true });
    },
  );

  it.each([
    ['in a body of known length', `${ok}Content-Length: 9\r\n\r\nhello`],
    ['in a chunk', `${ok}${chunked}\r\n9\r\nhello`],
    ['behind a chunk', `${ok}${chunked}\r\n5\r\nhello\r\n`],
    ['in the trailers', `${ok}${chunked}\r\n5\r\nhello\r\n0\r\nX: y\r\n`],
  ])('that breaks off %s is seen to have done so', async (_what, text) => {
    const way = await open();
    const answer = await way.ask(await sloppyOrigin(text, { ends: true }));
    expect(answer).toMatchObject({ status: 200, whole: false });
    expect('hello'.startsWith(answer.body)).toBe(true);
  });

  it.each([
    ['two lengths', `${ok}${five}Content-Length: 6\r\n\r\nhello!`],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['noise', '\x15\x03\x03\0\x02\x02F'],
    ['nothing', ''],
    ['half a head', `${ok}Content-Le`],
    ['a head without end', `${ok}X-A: ${'a'.repeat(300_000)}`],
  ])('that answers with %s is answered for with 502', async (_what, text) => {
    const way = await open();
    expect(await way.ask(await sloppyOrigin(text, { ends: true }))).toMatchObject({ status: 502 });
  });

  it('that compresses what it sends in chunks is passed on as it is', async () => {
    const way = await open();
    const packed = gzipSync('hello').toString('latin1');
    const place = await sloppyOrigin(
      `${ok}Content-Encoding: gzip\r\n${chunked}\r\n${packed.length.toString(16).toUpperCase()}\r\n${packed}\r\n0\r\n\r\n`,
    );
    const answer = await way.ask(place);
    expect(answer.headers['content-encoding']).toBe('gzip');
    expect(answer.body).toBe(packed);
  });

  // HTTP/2 knows no transfer codings (RFC 9113 §8.2.2).
  if (!name.endsWith('HTTP/2')) {
    it('that compresses the transfer is passed on as it is', async () => {
      const way = await open();
      const place = await sloppyOrigin(`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n${inChunks}`);
      const answer = await way.ask(place);
      expect(answer).toMatchObject({ headers: { 'transfer-encoding': 'gzip, chunked' }, body: 'hello' });
    });
  }

  it('keeps its fields, mended, in order', async () => {
    const way = await open();
    const place = await sloppyOrigin(
      `${ok}Set-Cookie: a=1\r\nX-A : b\r\n  c\r\nnothing\r\nSet-Cookie: b=2\r\nX-D: e\rSet-Cookie: evil=1\r\n${five}\r\nhello`,
    );
    const { headers } = await way.ask(place);
    expect(headers).toMatchObject({
      'set-cookie': ['a=1', 'b=2'],
      'x-a': 'b c',
      'x-d': 'e Set-Cookie: evil=1',
      'content-length': '5',
    });
  });

  it('that gives text without a head from an odd port cannot have it run', async () => {
    const way = await open();
    const { headers, body } = await way.ask(await sloppyOrigin('<script>alert(1)</script>', { ends: true }));
    expect(body).toBe('<script>alert(1)</script>');
    expect(headers).toMatchObject({ 'content-type': 'text/plain', 'x-content-type-options': 'nosniff' });
  });
});
