import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeRequestHead, type HttpRequestHead, HttpRequestHeadParser } from '../src/index.ts';
import { latin1, searchBriefly } from './support/pieces.ts';

/** What Node's own parser (llhttp) makes of bytes. */
type Verdict = { head: HttpRequestHead } | { error: string };

/** All the ways in which Node tells that a head is complete. */
const headEvents = ['request', 'connect', 'upgrade', 'checkContinue', 'checkExpectation'];

let server: Server;

beforeAll(() => {
  server = createServer({ requireHostHeader: false });
});
afterAll(() => {
  server.closeAllConnections();
});

/** Feeds bytes and their end to a server of Node's, over a stream that is no socket. */
function nodesVerdict(bytes: Uint8Array): Promise<Verdict> {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  Object.assign(stream, { setTimeout: () => stream, setNoDelay: () => stream, setKeepAlive: () => stream });
  stream.on('error', () => {});
  return new Promise(resolve => {
    const settle = (verdict: Verdict) => {
      for (const name of headEvents) server.off(name, onHead);
      server.off('clientError', onError);
      stream.off('close', onClose);
      stream.destroy();
      resolve(verdict);
    };
    const onHead = (request: IncomingMessage) => settle({ head: headOf(request) });
    const onError = ({ code }: NodeJS.ErrnoException) => settle({ error: code ?? 'none' });
    const onClose = () => settle({ error: 'closed' });
    for (const name of headEvents) server.on(name, onHead);
    server.on('clientError', onError);
    stream.on('close', onClose);
    server.emit('connection', stream);
    stream.push(bytes);
    stream.push(null);
  });
}

function headOf({ method = '', url = '', httpVersion, rawHeaders }: IncomingMessage): HttpRequestHead {
  const headers = Array.from(
    { length: rawHeaders.length / 2 },
    (_, index) => [rawHeaders[index * 2] ?? '', rawHeaders[index * 2 + 1] ?? ''] as const,
  );
  return { method, target: url, version: httpVersion as '1.1', headers };
}

function ourVerdict(bytes: Uint8Array): HttpRequestHead | undefined {
  try {
    return new HttpRequestHeadParser().push(bytes);
  } catch {
    return undefined;
  }
}

const token = fc.string({ unit: fc.constantFrom(..."AZaz09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 12 });
const value = fc.string({ unit: fc.constantFrom(...'aZ09 \t,;:"=()/[]\x80\xff'), maxLength: 20 });
/** Fields that llhttp reads the meaning of, too. */
const meaningful = fc.constantFrom(
  'Host: example.org',
  'Connection: keep-alive, upgrade',
  'Connection:close',
  'Upgrade: websocket',
  'Expect: 100-continue',
  'Content-Length: 0',
  'Transfer-Encoding: chunked',
);
const line = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(token, fc.constantFrom(':', ': ', ':\t '), value).map(parts => parts.join('')),
  },
  { weight: 1, arbitrary: meaningful },
);
const firstLine = fc.constantFrom(
  'CONNECT example.org:443 HTTP/1.1',
  'CONNECT [2001:db8::1]:443 HTTP/1.0',
  'GET http://example.org/a?b=c HTTP/1.1',
  'POST http://example.org:8080/ HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET / HTTP/1.0',
);
const message = fc
  .tuple(fc.constantFrom('', '\r\n'), firstLine, fc.array(line, { maxLength: 6 }))
  .map(([before, first, lines]) => `${before}${[first, ...lines].join('\r\n')}\r\n\r\n`);

describe('the parser of request heads', () => {
  it('reads well-formed heads as Node does', async () => {
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(message, async text => {
        const ours = ourVerdict(latin1(text));
        expect(ours, text).toBeDefined();
        const nodes = await nodesVerdict(latin1(text));
        if ('error' in nodes) {
          // The fields contradict each other, which is no question of their syntax.
          expect(nodes.error).toMatch(/CONTENT_LENGTH|TRANSFER_ENCODING/);
          return;
        }
        compared += 1;
        expect(ours).toEqual(nodes.head);
      }),
      searchBriefly,
    );
    expect(compared).toBeGreaterThan(50);
  });

  it('mends or refuses damaged heads so that Node reads what is passed on in the same way', async () => {
    const damage = fc.record({
      at: fc.nat(200),
      drop: fc.nat(2),
      insert: fc.oneof(
        fc.constantFrom('\r', '\n', '\r\n', ' ', '\t', ':', '\0', '\x7f', '\x80', '\r\n ', '/', 'HTTP/1.1'),
        fc.string({ unit: 'binary-ascii', maxLength: 2 }),
      ),
    });
    const damaged = fc
      .tuple(message, fc.array(damage, { minLength: 1, maxLength: 3 }))
      .map(([text, places]) => {
        let all = text;
        for (const { at, drop, insert } of places) {
          const place = at % (all.length + 1);
          all = all.slice(0, place) + insert + all.slice(place + drop);
        }
        return all;
      });
    let [accepted, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(damaged, async text => {
        const ours = ourVerdict(latin1(text));
        if (ours === undefined) {
          refused += 1;
          return;
        }
        accepted += 1;
        const { method, target, headers, version } = ours;
        const nodes = await nodesVerdict(encodeRequestHead(method, target, headers, version));
        if ('head' in nodes) expect(ours).toEqual(nodes.head);
        // What llhttp judges beyond the lines of heads: methods it has no name for, URLs, the framing of bodies, control characters.
        else
          expect(nodes.error, text).toMatch(
            /INVALID_METHOD|INVALID_URL|CONTENT_LENGTH|TRANSFER_ENCODING|HEADER_TOKEN|INVALID_CONSTANT/,
          );
      }),
      searchBriefly,
    );
    expect(accepted).toBeGreaterThan(50);
    expect(refused).toBeGreaterThan(50);
  });
});
