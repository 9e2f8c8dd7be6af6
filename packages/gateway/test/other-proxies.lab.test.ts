import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Authority, HttpBodyReader, HttpResponseReader } from '@manypath/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gateway } from '../src/index.ts';
import { OtherProxy, whyNoOtherProxies } from './support/other-proxies.ts';
import { temporaryFolder } from './support/scope.ts';

const why = whyNoOtherProxies();

/** What one proxy made of an exchange: what the origin was asked, and what the client was answered. */
interface Meaning {
  readonly asked: { method: string; target: string; fields: Map<string, string>; body: string } | undefined;
  readonly answered: { status: number; fields: Map<string, string>; body: string } | undefined;
}

interface Exchange {
  readonly request: (target: string) => string;
  readonly answer: string;
}

/** Fields that each proxy has its own view of. */
const ownAffair =
  /^(connection|keep-alive|proxy-connection|proxy-status|via|x-cache.*|cache-status|cache-control|age|date|server|warning|host|te|trailer|transfer-encoding|content-length|x-forwarded-for|x-transformed-from|mime-version|upgrade|expect|content-type|x-content-type-options)$/;

describe.skipIf(why)(`squid and tinyproxy${why ? ` (skipped: ${why})` : ''}`, () => {
  const proxies: Authority[] = [];
  const others: OtherProxy[] = [];
  let gateway: Gateway;
  let origin: Server;
  /** What the origin answers, and what it was asked, by the number in the path. */
  const answers = new Map<string, string>();
  const asked = new Map<string, string>();
  const sockets = new Set<Socket>();
  let count = 0;

  beforeAll(async () => {
    others.push(...(await Promise.all([OtherProxy.squid(), OtherProxy.tinyproxy()])));
    gateway = await Gateway.start({
      listen: { host: '127.0.0.1', port: 0 },
      stateDir: temporaryFolder(),
    });
    proxies.push(...others, gateway.proxy);
    origin = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
      let text = '';
      socket.on('data', bytes => {
        text += bytes.toString('latin1');
        if (!isWhole(text)) return;
        const number = /\/(\d+)/.exec(text)?.[1] ?? '';
        asked.set(number, text);
        text = '';
        socket.end(Buffer.from(answers.get(number) ?? '', 'latin1'));
      });
    });
    await new Promise<void>(resolve => origin.listen(0, '127.0.0.1', resolve));
  });

  afterAll(async () => {
    await gateway?.close();
    for (const other of others) await other.close();
    for (const socket of sockets) socket.destroy();
    await new Promise(resolve => origin?.close(resolve));
  });

  async function meaningBy(proxy: Authority, { request, answer }: Exchange): Promise<Meaning> {
    count += 1;
    const number = String(count);
    answers.set(number, answer);
    const { port } = origin.address() as AddressInfo;
    const text = request(`http://127.0.0.1:${port}/${number}`);
    const method = text.trimStart().split(/[ \t]/, 1)[0] ?? '';
    const answered = await answerOf(proxy, text, method);
    const seen = asked.get(number);
    answers.delete(number);
    asked.delete(number);
    return { asked: seen === undefined ? undefined : readRequest(seen, number), answered };
  }

  it('pass nothing on that is not passed on here with the same meaning', { timeout: 60_000 }, async () => {
    let [passed, all] = [0, 0];
    await fc.assert(
      fc.asyncProperty(exchange, async ({ request, answer, marker }) => {
        const meanings = await Promise.all(proxies.map(proxy => meaningBy(proxy, { request, answer })));
        const [squid, tinyproxy, ours] = meanings;
        all += 1;
        const isPassed = (meaning: Meaning | undefined) =>
          meaning?.asked !== undefined && meaning.answered?.fields.get('x-marker') === marker;
        if (squid === undefined || tinyproxy === undefined || ours === undefined) return;
        if (!isPassed(squid) || !isPassed(tinyproxy) || !agree(squid, tinyproxy)) return;
        passed += 1;
        expect(isPassed(ours), explain(request, answer, meanings)).toBe(true);
        expect(ours.answered?.status, explain(request, answer, meanings)).toBe(squid.answered?.status);
        expect(ours.answered?.body).toBe(squid.answered?.body);
        expect(ours.asked?.method).toBe(squid.asked?.method);
        expect(unescaped(ours.asked?.target)).toBe(unescaped(squid.asked?.target));
        expect(ours.asked?.body).toBe(squid.asked?.body);
        expectCommon(ours.answered?.fields, squid.answered?.fields, tinyproxy.answered?.fields);
        expectCommon(ours.asked?.fields, squid.asked?.fields, tinyproxy.asked?.fields);
      }),
      { interruptAfterTimeLimit: 25_000, markInterruptAsFailure: false, numRuns: 1000 },
    );
    // Enough of what was made up is passed on by both, or nothing was compared.
    expect(passed).toBeGreaterThan(all / 5);
  });
});

const lineEnd = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n');
const fieldLine = fc.constantFrom(
  'X-A: b',
  'x-a: c',
  'X-Empty:',
  'X-Blanks: \t a  b \t',
  'X-Beyond: caf\xe9 \xc3\xa9',
  'X-Folded: a\r\n b',
  'X-Folded-Again: a\r\n\tb\r\n  c',
  'X-Long: '.padEnd(3000, 'y'),
  'Cookie: a=b; c="d"',
  'Accept: text/html, */*;q=0.1',
  'User-Agent: test (x; y)',
  'Cache-Control: no-cache',
);
const answerLine = fc.oneof(
  fieldLine,
  fc.constantFrom(
    'Set-Cookie: a=1',
    'Set-Cookie: b=2',
    'Location: /elsewhere',
    'ETag: "x"',
    'X-Many: 1\r\nX-Many: 2',
  ),
);
const oddAnswerLine = fc.constantFrom('X-Colon : a', 'nothing', ': nameless', 'X-Control: a\x01b', 'X(Y): z');

const requestOf = fc
  .record({
    method: fc.constantFrom(
      'GET',
      'GET',
      'POST',
      'PUT',
      'DELETE',
      'PATCH',
      'OPTIONS',
      'PROPFIND',
      'UPDATE',
      'FOO',
    ),
    version: fc.constantFrom('1.1', '1.1', '1.0'),
    blanks: fc.constantFrom([' ', ' '], [' ', ' '], ['  ', ' '], [' ', '  ']),
    query: fc.constantFrom('', '?a=b', '/c%20d?e=%zz', '?q=\xc3\xbc', '?[{|}]"<>', '/./../f'),
    lines: fc.array(fieldLine, { maxLength: 6 }),
    many: fc.constantFrom(0, 0, 0, 90, 240),
    end: lineEnd,
    body: fc.constantFrom('', '', 'hello', 'x'.repeat(20_000)),
    lengths: fc.constantFrom(1, 1, 1, 2),
  })
  .map(({ method, version, blanks, query, lines, many, end, body, lengths }) => (target: string) => {
    const hasBody = body !== '' && !['GET', 'DELETE', 'OPTIONS'].includes(method);
    const length = hasBody || method === 'POST' || method === 'PUT' || method === 'PATCH';
    const fields = [
      `Host: ${target.split('/')[2]}`,
      ...lines,
      ...Array.from({ length: many }, (_, at) => `X-Many-${at}: y`),
      ...(length
        ? Array.from({ length: lengths }, () => `Content-Length: ${hasBody ? body.length : 0}`)
        : []),
      'Connection: close',
    ];
    const first = `${method}${blanks[0]}${target}${query}${blanks[1]}HTTP/${version}`;
    return `${[first, ...fields].join(end)}${end}${end}${hasBody ? body : ''}`;
  });

const answerOfOrigin = fc
  .record({
    marker: fc.uuid(),
    first: fc.constantFrom(
      'HTTP/1.1 200 OK',
      'HTTP/1.1 200 OK',
      'HTTP/1.1 404 Not There',
      'HTTP/1.1 299 Caf\xe9',
      'HTTP/1.0 200 OK',
      'HTTP/1.1 200',
      'HTTP/1.1 200 ',
      'HTTP/1.1 500 a  b',
      'HTTP/1.1 401 No',
    ),
    lines: fc.array(fc.oneof({ weight: 3, arbitrary: answerLine }, { weight: 1, arbitrary: oddAnswerLine }), {
      maxLength: 6,
    }),
    end: lineEnd,
    body: fc.constantFrom('', 'hello', 'x'.repeat(100_000)),
    framing: fc.constantFrom('length', 'length', 'twice', 'chunked', 'close', 'identity', 'both', 'junk'),
    ahead: fc.constantFrom('', '', '', 'HTTP/1.1 100 Continue\r\n\r\n'),
  })
  .map(({ marker, first, lines, end, body, framing, ahead }) => {
    const length = `Content-Length: ${body.length}`;
    const chunks = body === '' ? '0\r\n\r\n' : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const [fields, content] = {
      length: [[length], body],
      twice: [[length, length], body],
      chunked: [['Transfer-Encoding: chunked'], chunks],
      close: [['Connection: close'], body],
      identity: [['Transfer-Encoding: identity', length], body],
      both: [[length, 'Transfer-Encoding: chunked'], chunks],
      junk: [[length], `${body}and more`],
    }[framing] as [string[], string];
    const head = [first, `X-Marker: ${marker}`, ...lines, ...fields].join(end);
    return { marker, answer: `${ahead}${head}${end}${end}${content}` };
  });

const exchange = fc.tuple(requestOf, answerOfOrigin).map(([request, answer]) => ({ request, ...answer }));

/** Whether all of a request has come. */
function isWhole(text: string): boolean {
  const [head = '', ...rest] = text.split(/\r?\n\r?\n/);
  if (rest.length === 0) return false;
  const body = text.slice(text.search(/\r?\n\r?\n/)).replace(/^\r?\n\r?\n/, '');
  if (/^transfer-encoding/im.test(head)) return body.endsWith('0\r\n\r\n');
  return body.length >= Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
}

function readRequest(text: string, number: string): Meaning['asked'] {
  const at = text.search(/\r?\n\r?\n/);
  const [first = '', ...lines] = text
    .slice(0, at)
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/);
  const [method = '', target = ''] = first.split(/[ \t]+/);
  const fields = fieldsFrom(
    lines.map(line => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]),
  );
  const content = text.slice(at).replace(/^\r?\n\r?\n/, '');
  if (!/^transfer-encoding/im.test(text.slice(0, at)))
    return { method, target: target.replace(number, 'N'), fields, body: content };
  const reader = new HttpBodyReader('chunked');
  const body = Buffer.concat(reader.push(Buffer.from(content, 'latin1'))).toString('latin1');
  return { method, target: target.replace(number, 'N'), fields, body };
}

/** The values of fields that mean something to both ends, joined where a name comes more than once. */
function fieldsFrom(fields: Iterable<readonly [string, string]>): Map<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of fields) {
    const lower = name.trim().toLowerCase();
    if (ownAffair.test(lower) || !/^[\w-]+$/.test(lower)) continue;
    const plain = [...value].map(character => (character < ' ' ? ' ' : character)).join('');
    const mended = plain.replace(/ +/g, ' ').trim();
    all.set(lower, all.has(lower) ? `${all.get(lower)}, ${mended}` : mended);
  }
  return all;
}

/** Sends a request by a proxy, and reads the answer as forgivingly as a browser. */
function answerOf(proxy: Authority, text: string, method: string): Promise<Meaning['answered']> {
  return new Promise(resolve => {
    const reader = new HttpResponseReader({ method });
    const socket = connect(proxy.port, proxy.host);
    const body: Buffer[] = [];
    let head: { status: number; headers: readonly (readonly [string, string])[] } | undefined;
    const settle = (whole: boolean) => {
      socket.destroy();
      if (head === undefined || !whole) resolve(undefined);
      else
        resolve({
          status: head.status,
          fields: fieldsFrom(head.headers),
          body: Buffer.concat(body).toString('latin1'),
        });
    };
    const take = (events: ReturnType<HttpResponseReader['push']>) => {
      for (const event of events) {
        if (event.type === 'head') head = event.head;
        if (event.type === 'data') body.push(Buffer.from(event.bytes));
        if (event.type === 'end' || event.type === 'failure') settle(event.type === 'end');
      }
    };
    socket.setTimeout(5000, () => settle(false));
    socket.on('data', bytes => take(reader.push(bytes)));
    socket.on('end', () => take(reader.finish())).on('error', () => settle(false));
    socket.write(Buffer.from(text, 'latin1'));
  });
}

function agree(one: Meaning, other: Meaning): boolean {
  return (
    one.answered?.status === other.answered?.status &&
    one.answered?.body === other.answered?.body &&
    one.asked?.method === other.asked?.method &&
    one.asked?.body === other.asked?.body &&
    unescaped(one.asked?.target) === unescaped(other.asked?.target)
  );
}

function expectCommon(
  ours?: Map<string, string>,
  one?: Map<string, string>,
  other?: Map<string, string>,
): void {
  for (const [name, value] of one ?? [])
    if (other?.get(name) === value) expect(ours?.get(name), name).toBe(value);
}

/** Some write bytes beyond ASCII with percent signs. */
function unescaped(target = ''): string {
  return target.replace(/%([89A-F][0-9A-F])/gi, (_, digits) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

function explain(request: Exchange['request'], answer: string, meanings: readonly Meaning[]): string {
  return JSON.stringify({
    request: request('http://origin/N').slice(0, 2000),
    answer: answer.slice(0, 2000),
    meanings,
  }).slice(0, 6000);
}
