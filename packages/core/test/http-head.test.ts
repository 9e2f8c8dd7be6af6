import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeLatin1,
  encodeRequestHead,
  encodeResponseHead,
  type HeaderField,
  HttpHeadError,
  HttpRequestHeadParser,
  HttpResponseHeadParser,
  headerValue,
} from '../src/index.ts';
import { errorOf, everySplit, inPieces, latin1, searchBriefly } from './support/pieces.ts';

type Parser = HttpRequestHeadParser | HttpResponseHeadParser;

/** The head and what followed, or the error; bytes after the head are not fed any more. */
function outcomeOf(parser: Parser, pieces: readonly Uint8Array[]): unknown {
  try {
    for (const [index, piece] of pieces.entries()) {
      const head = parser.push(piece);
      if (head === undefined) continue;
      const rest = Buffer.concat([parser.rest, ...pieces.slice(index + 1)]).toString('latin1');
      return { head, rest };
    }
    return 'incomplete';
  } catch (error) {
    if (!(error instanceof HttpHeadError)) throw error;
    return { code: error.code, status: error.status };
  }
}

const request = (text: string) => outcomeOf(new HttpRequestHeadParser(), [latin1(text)]);
const response = (text: string) => outcomeOf(new HttpResponseHeadParser(), [latin1(text)]);

const connectHead =
  'CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\nProxy-Connection: keep-alive\r\n\r\n';

describe('a request head', () => {
  it('has a method, a target, a version and header fields, wherever its bytes are split', () => {
    for (const pieces of everySplit(latin1(connectHead))) {
      expect(outcomeOf(new HttpRequestHeadParser(), pieces)).toEqual({
        head: {
          method: 'CONNECT',
          target: 'example.org:443',
          version: '1.1',
          headers: [
            ['Host', 'example.org:443'],
            ['Proxy-Connection', 'keep-alive'],
          ],
        },
        rest: '',
      });
    }
  });

  it('is followed by bytes of the connection, wherever they are split', () => {
    const first = '\x16\x03\x01\r\n\r\nGET / HTTP/1.1\r\n\r\n';
    for (const pieces of everySplit(latin1(connectHead + first))) {
      expect(outcomeOf(new HttpRequestHeadParser(), pieces)).toMatchObject({ rest: first });
    }
  });

  it('keeps the order, the case and the repetitions of its fields', () => {
    const fields = 'X-a: 1\r\nx-A: 2\r\nX-a: 1\r\n';
    expect(request(`GET / HTTP/1.0\r\n${fields}\r\n`)).toMatchObject({
      head: {
        version: '1.0',
        headers: [
          ['X-a', '1'],
          ['x-A', '2'],
          ['X-a', '1'],
        ],
      },
    });
  });

  it('has blanks around values that are not part of them, and bytes above 127 that are', () => {
    const text =
      'GET /?q="<>" HTTP/1.1\r\nA:\r\nB: \t \r\nC:x\r\nD: \t x  y\t z \t\r\nE: a:b\r\nF: \x80\xff\r\n\r\n';
    expect(request(text)).toMatchObject({
      head: {
        target: '/?q="<>"',
        headers: [
          ['A', ''],
          ['B', ''],
          ['C', 'x'],
          ['D', 'x  y\t z'],
          ['E', 'a:b'],
          ['F', '\x80\xff'],
        ],
      },
    });
  });

  it('may come after empty lines', () => {
    expect(request(`\r\n\r\n${connectHead}`)).toEqual(request(connectHead));
  });

  const mended: [what: string, text: string][] = [
    ['lines that end in LF alone', 'GET /a HTTP/1.1\nA: b c\n\n'],
    ['lines that end in both ways', '\nGET /a HTTP/1.1\r\nA: b c\n\r\n'],
    ['a folded value', 'GET /a HTTP/1.1\r\nA: b\r\n \t c\r\n\r\n'],
    ['a value folded twice, the second time to nothing', 'GET /a HTTP/1.1\r\nA:\r\n b c\r\n \r\n\r\n'],
    ['more blanks between its words, and behind them', 'GET  \t/a   HTTP/1.1 \r\nA: b c\r\n\r\n'],
  ];
  for (const [what, text] of mended) {
    it(`may have ${what}, wherever its bytes are split`, () => {
      for (const pieces of everySplit(latin1(`${text}rest`))) {
        expect(outcomeOf(new HttpRequestHeadParser(), pieces)).toEqual({
          head: { method: 'GET', target: '/a', version: '1.1', headers: [['A', 'b c']] },
          rest: 'rest',
        });
      }
    });
  }

  it('may have control characters in values that decide nothing, and bytes above 127 in its target', () => {
    expect(request('GET /b\xc3\xbc HTTP/1.1\r\nA: b\x1bc\x7f\r\n\r\n')).toMatchObject({
      head: { target: '/b%C3%BC', headers: [['A', 'b\x1bc\x7f']] },
    });
  });

  it('may have no fields at all', () => {
    expect(request('GET / HTTP/1.1\r\n\r\n')).toMatchObject({ head: { headers: [] }, rest: '' });
  });

  it('does not keep the memory of the caller', () => {
    const parser = new HttpRequestHeadParser();
    const buffer = new Uint8Array(16);
    const bytes = latin1(`${connectHead}rest`);
    let head: unknown;
    for (let at = 0; at < bytes.length; at += buffer.length) {
      const piece = bytes.subarray(at, at + buffer.length);
      buffer.set(piece);
      head ??= parser.push(buffer.subarray(0, piece.length));
      buffer.fill(0);
    }
    expect(head).toMatchObject({ target: 'example.org:443', headers: { length: 2 } });
    expect(decodeLatin1(parser.rest)).toBe('rest');
  });

  it('takes nothing after its end, nor after an error', () => {
    const complete = new HttpRequestHeadParser();
    complete.push(latin1(connectHead));
    expect(() => complete.push(latin1('x'))).toThrow('complete');
    const failed = new HttpRequestHeadParser();
    expect(() => failed.push(latin1('\x16'))).toThrow(HttpHeadError);
    expect(() => failed.push(latin1(connectHead))).toThrow('failed');
  });

  const refused: [what: string, text: string, status?: number][] = [
    ['a CR within a value', 'GET / HTTP/1.1\r\nA: b\rc\r\n\r\n'],
    ['a CR at the end of a value', 'GET / HTTP/1.1\r\nA: b\r\r\n\r\n'],
    ['a CR within the target', 'GET /\r HTTP/1.1\r\n\r\n'],
    ['a first field that is folded', 'GET / HTTP/1.1\r\n A: b\r\n\r\n'],
    ['a folded Host', 'GET / HTTP/1.1\r\nHost: b\r\n c\r\n\r\n'],
    ['a folded length', 'POST / HTTP/1.1\r\nContent-Length:\r\n 1\r\n\r\n'],
    ['a folded coding', 'POST / HTTP/1.1\r\nTransfer-Encoding:\n chunked\r\n\r\n'],
    ['a control character in a coding', 'POST / HTTP/1.1\r\nTransfer-Encoding: \x0bchunked\r\n\r\n'],
    ['a blank before the colon', 'GET / HTTP/1.1\r\nA : b\r\n\r\n'],
    ['a field without a colon', 'GET / HTTP/1.1\r\nA\r\n\r\n'],
    ['a field without a name', 'GET / HTTP/1.1\r\n: b\r\n\r\n'],
    ['a name that is no token', 'GET / HTTP/1.1\r\nA(b): c\r\n\r\n'],
    ['a name beyond ASCII', 'GET / HTTP/1.1\r\n\xe4: c\r\n\r\n'],
    ['a zero byte in a value', 'GET / HTTP/1.1\r\nA: b\0c\r\n\r\n'],
    ['a zero byte in the target', 'GET /\0 HTTP/1.1\r\n\r\n'],
    ['a method that is no token', 'G(T / HTTP/1.1\r\n\r\n'],
    ['a blank before the method', ' GET / HTTP/1.1\r\n\r\n'],
    ['a blank in the target', 'GET /a b HTTP/1.1\r\n\r\n'],
    ['no version, as HTTP/0.9', 'GET /\r\n\r\n'],
    ['another protocol', 'GET / RTSP/1.0\r\n\r\n'],
    ['a protocol in lower case', 'GET / http/1.1\r\n\r\n'],
    ['a version of two digits', 'GET / HTTP/1.10\r\n\r\n'],
    ['a version that is not served', 'GET / HTTP/1.2\r\n\r\n', 505],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ];
  for (const [what, text, status = 400] of refused) {
    it(`is refused with ${what}, wherever its bytes are split`, () => {
      for (const pieces of everySplit(latin1(text))) {
        expect(outcomeOf(new HttpRequestHeadParser(), pieces)).toEqual({
          code: 'MANYPATH_HTTP_HEAD_INVALID',
          status,
        });
      }
    });
  }

  it('is refused at the first byte that no head begins with, though no line has ended', () => {
    for (const noise of ['\x16\x03\x01\x02', '\x05\x01\x00', 'GET /\x01', 'SSH-2.0-x\x7f', '\r\r', '(']) {
      const parser = new HttpRequestHeadParser();
      const bytes = latin1(noise);
      expect(parser.push(bytes.subarray(0, -1).slice(0, noise === '\r\r' ? 1 : 0))).toBe(undefined);
      expect(
        errorOf(() => new HttpRequestHeadParser().push(bytes)),
        noise,
      ).toMatchObject({ status: 400 });
    }
  });
});

describe('the limits of a head', () => {
  const limits = { httpHeadBytes: 100, httpHeaderCount: 3, httpTargetBytes: 20 };
  const bounded = (text: string, size = text.length) => {
    const bytes = latin1(text);
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    );
    return outcomeOf(new HttpRequestHeadParser(limits), pieces);
  };
  const tooLarge = (status: number) => ({ code: 'MANYPATH_HTTP_HEAD_TOO_LARGE', status });

  it('count every byte up to the end, and none behind it', () => {
    const filled = (length: number) => {
      const head = 'GET / HTTP/1.1\r\nA: \r\n\r\n';
      return head.replace('A: ', `A: ${'a'.repeat(length - head.length)}`);
    };
    for (const size of [1, 7, 1000]) {
      expect(bounded(filled(100), size)).toMatchObject({ head: { target: '/' } });
      expect(bounded(`${filled(100)}${'x'.repeat(500)}`, size)).toMatchObject({ head: { target: '/' } });
      expect(bounded(filled(101), size)).toEqual(tooLarge(431));
    }
  });

  it('stop a line that never ends: 414 while it is the first, 431 afterwards', () => {
    for (const size of [1, 7, 1000]) {
      expect(bounded(`GET /${'a'.repeat(200)}`, size)).toEqual(tooLarge(414));
      expect(bounded(`GET / HTTP/1.1\r\nA: ${'a'.repeat(200)}`, size)).toEqual(tooLarge(431));
      expect(bounded('\r\n'.repeat(200), size)).toEqual(tooLarge(414));
    }
  });

  it('stop a target that is too long: 414', () => {
    expect(bounded(`GET /${'a'.repeat(19)} HTTP/1.1\r\n\r\n`)).toMatchObject({ head: {} });
    expect(bounded(`GET /${'a'.repeat(20)} HTTP/1.1\r\n\r\n`)).toEqual(tooLarge(414));
  });

  it('stop one field too many: 431', () => {
    expect(bounded(`GET / HTTP/1.1\r\n${'A:\r\n'.repeat(3)}\r\n`)).toMatchObject({ head: {} });
    for (const size of [1, 1000]) {
      expect(bounded(`GET / HTTP/1.1\r\n${'A:\r\n'.repeat(4)}\r\n`, size)).toEqual(tooLarge(431));
    }
  });

  it('are 32 KiB, 1000 fields and 8 KiB of target if nothing else is said', () => {
    const head = (target: number, fields: number, value: number) =>
      request(
        `GET ${'/'.repeat(target)} HTTP/1.1\r\n${'A: b\r\n'.repeat(fields)}C: ${'c'.repeat(value)}\r\n\r\n`,
      );
    expect(head(8192, 999, 10_000)).toMatchObject({ head: {} });
    expect(head(8193, 0, 0)).toEqual(tooLarge(414));
    expect(head(1, 1000, 0)).toEqual(tooLarge(431));
    expect(head(1, 0, 32_768)).toEqual(tooLarge(431));
  });

  it('hold against bytes that come one by one, in little time', () => {
    const parser = new HttpRequestHeadParser();
    const byte = latin1('a');
    const feed = () => {
      for (let count = 0; count <= 32_768; count++) parser.push(byte);
    };
    const started = performance.now();
    expect(feed).toThrow(HttpHeadError);
    // Some milliseconds; were each byte to cost the head again, it would be seconds.
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('a response head', () => {
  it('has a status, a reason, a version and header fields, wherever its bytes are split', () => {
    const text =
      'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a"\r\n\r\nbody';
    for (const pieces of everySplit(latin1(text))) {
      expect(outcomeOf(new HttpResponseHeadParser(), pieces)).toEqual({
        head: {
          status: 407,
          reason: 'Proxy Authentication Required',
          version: '1.1',
          headers: [['Proxy-Authenticate', 'Basic realm="a"']],
        },
        rest: 'body',
      });
    }
  });

  it('may lack the reason, and the blank before it', () => {
    expect(response('HTTP/1.0 200 \r\n\r\n')).toMatchObject({
      head: { status: 200, reason: '', version: '1.0' },
    });
    expect(response('HTTP/1.1 200\r\n\r\n')).toMatchObject({ head: { status: 200, reason: '' } });
  });

  it('may have a reason in any language, wherever its bytes are split', () => {
    for (const pieces of everySplit(latin1('HTTP/1.1 200 \xc3\xbc\r\n\r\n'))) {
      expect(outcomeOf(new HttpResponseHeadParser(), pieces)).toMatchObject({ head: { reason: '\xc3\xbc' } });
    }
  });

  const refused: [what: string, text: string, status?: number][] = [
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
    ['a status that is no number', 'HTTP/1.1 2OO OK\r\n\r\n'],
    ['two blanks', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a control character in the reason', 'HTTP/1.1 200 a\x08b\r\n\r\n'],
    ['another protocol', 'ICY 200 OK\r\n\r\n'],
    ['the greeting of another server', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a request', 'GET / HTTP/1.1\r\n\r\n'],
    ['lines that end in LF alone', 'HTTP/1.1 200 OK\n\n'],
    ['a version that is not served', 'HTTP/2.0 200 OK\r\n\r\n', 505],
    ['noise', '\x15\x03\x03\0\x02\x02F'],
  ];
  for (const [what, text, status = 400] of refused) {
    it(`is refused with ${what}, wherever its bytes are split`, () => {
      for (const pieces of everySplit(latin1(text))) {
        expect(outcomeOf(new HttpResponseHeadParser(), pieces)).toEqual({
          code: 'MANYPATH_HTTP_HEAD_INVALID',
          status,
        });
      }
    });
  }
});

describe('a head that is written', () => {
  const token = fc.string({ unit: fc.constantFrom(..."AZaz09!#$%&'*+-.^_`|~"), minLength: 1, maxLength: 12 });
  const value = fc
    .string({ unit: fc.constantFrom(...'aZ09 \t,;:"=()/\x80\xff'), maxLength: 30 })
    .map(text => text.replace(/^[ \t]+|[ \t]+$/g, ''));
  const fields = fc.array(fc.tuple(token, value), { maxLength: 8 });
  const target = fc.string({ unit: fc.constantFrom(...'aZ09/?:@[]#%&="<>'), minLength: 1, maxLength: 40 });

  it('as a request is read back as it was, in any pieces', () => {
    fc.assert(
      fc.property(
        token,
        target,
        fields,
        fc.array(fc.nat(400), { maxLength: 5 }),
        (method, path, headers, cuts) => {
          const bytes = encodeRequestHead(method, path, headers);
          const bounds = [0, ...cuts.map(cut => cut % bytes.length).toSorted((a, b) => a - b), bytes.length];
          const pieces = bounds.slice(1).map((end, index) => bytes.subarray(bounds[index], end));
          expect(outcomeOf(new HttpRequestHeadParser(), pieces)).toEqual({
            head: { method, target: path, version: '1.1', headers },
            rest: '',
          });
        },
      ),
      searchBriefly,
    );
  });

  it('as a response is read back as it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 999 }), value, fields, (status, reason, headers) => {
        const bytes = encodeResponseHead(status, reason, headers);
        expect(outcomeOf(new HttpResponseHeadParser(), [bytes])).toEqual({
          head: { status, reason, version: '1.1', headers },
          rest: '',
        });
      }),
      searchBriefly,
    );
  });

  it('cannot be made to hold another line', () => {
    const headers: HeaderField[][] = [
      [['A', 'b\r\nC: d']],
      [['A', 'b\n']],
      [['A\r\nB', 'c']],
      [['A:', 'c']],
      [['', 'c']],
      [['A b', 'c']],
      [['A', 'b\0']],
      [['A', '€']],
    ];
    for (const fieldList of headers) {
      expect(() => encodeRequestHead('GET', '/', fieldList)).toThrow(HttpHeadError);
      expect(() => encodeResponseHead(200, 'OK', fieldList)).toThrow(HttpHeadError);
    }
    for (const [method, path] of [
      ['GET', '/ HTTP/1.1\r\nA: b'],
      ['GET', '/a b'],
      ['GET', ''],
      ['GET', '/ä'],
      ['', '/'],
      ['GET /', '/'],
    ] as const) {
      expect(() => encodeRequestHead(method, path, [])).toThrow(HttpHeadError);
    }
    for (const status of [0, 99, 1000, 200.5, Number.NaN]) {
      expect(() => encodeResponseHead(status, 'OK')).toThrow(HttpHeadError);
    }
  });

  it('leaves out a reason that cannot be written, since it is for people only', () => {
    for (const reason of ['a\r\nB: c', 'a\x01', '€']) {
      expect(decodeLatin1(encodeResponseHead(502, reason))).toBe('HTTP/1.1 502 \r\n\r\n');
    }
  });
});

describe('any bytes', () => {
  it('end in a head, an error or nothing yet, and in the same whatever the pieces', () => {
    const near = fc.string({ unit: fc.constantFrom(...'GET /HTP1.0: \r\n\r\na\t\x80\x01'), maxLength: 80 });
    const changed = fc
      .tuple(fc.nat(connectHead.length), fc.nat(3), fc.string({ unit: 'binary-ascii', maxLength: 3 }))
      .map(([at, drop, insert]) => connectHead.slice(0, at) + insert + connectHead.slice(at + drop));
    const bytes = fc
      .oneof(near, changed)
      .map(latin1)
      .chain(all => fc.tuple(fc.constant(all), inPieces(all)));
    fc.assert(
      fc.property(bytes, ([all, pieces]) => {
        for (const make of [() => new HttpRequestHeadParser(), () => new HttpResponseHeadParser()]) {
          expect(outcomeOf(make(), pieces)).toEqual(outcomeOf(make(), [all]));
        }
      }),
      searchBriefly,
    );
  });
});

describe('the value of a field', () => {
  it('is that of the first with the name, in any case', () => {
    const headers: HeaderField[] = [
      ['HOST', 'a'],
      ['host', 'b'],
    ];
    expect(headerValue(headers, 'Host')).toBe('a');
    expect(headerValue(headers, 'Accept')).toBe(undefined);
  });
});
