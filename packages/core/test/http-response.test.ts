import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type HttpResponseOptions, HttpResponseReader } from '../src/index.ts';
import { everySplit, inPieces, latin1, searchBriefly } from './support/pieces.ts';

interface Outcome {
  informed?: number[];
  head?: object;
  body?: string;
  whole?: boolean;
  reusable?: boolean;
  trailers?: readonly (readonly [string, string])[];
  failed?: string;
  rest?: string;
}

/** What an answer comes to when its bytes come in pieces, and then the end of the connection. */
function outcomeOf(
  pieces: readonly Uint8Array[],
  options: Partial<HttpResponseOptions> = {},
  ends = true,
): Outcome {
  const reader = new HttpResponseReader({ method: 'GET', ...options });
  const outcome: Outcome = {};
  let body = '';
  const take = (events: ReturnType<HttpResponseReader['push']>) => {
    for (const event of events) {
      if (event.type === 'information') outcome.informed = [...(outcome.informed ?? []), event.head.status];
      if (event.type === 'head') {
        const { head, codings } = event;
        outcome.head = { ...head, ...(codings.length > 0 ? { codings } : {}) };
      }
      if (event.type === 'switched') outcome.head = event.head;
      if (event.type === 'data') body += Buffer.from(event.bytes).toString('latin1');
      if (event.type === 'failure') outcome.failed = event.error.code;
      if (event.type === 'end') {
        outcome.whole = true;
        outcome.reusable = event.reusable;
        if (event.trailers.length > 0) outcome.trailers = event.trailers;
      }
    }
    return events.some(({ type }) => type === 'end' || type === 'failure' || type === 'switched');
  };
  for (const [index, piece] of pieces.entries()) {
    if (!take(reader.push(piece))) continue;
    const rest = Buffer.concat([reader.rest, ...pieces.slice(index + 1)]).toString('latin1');
    if (rest !== '') {
      outcome.rest = rest;
      // What comes after the answer is for the connection to see.
      if (outcome.reusable !== undefined) outcome.reusable = false;
    }
    return outcome.head === undefined ? outcome : { ...outcome, body };
  }
  if (ends) take(reader.finish());
  return outcome.head === undefined ? outcome : { ...outcome, body };
}

const answer = (text: string, options: Partial<HttpResponseOptions> = {}) =>
  outcomeOf([latin1(text)], options);

describe('an answer', () => {
  it('as RFC 9112 has it is read as it is, wherever its bytes are split', () => {
    const text = 'HTTP/1.1 200 OK\r\nX-a: 1\r\nContent-Length: 5\r\nx-A: 2\r\n\r\nhello';
    for (const pieces of everySplit(latin1(text))) {
      expect(outcomeOf(pieces)).toEqual({
        head: {
          status: 200,
          reason: 'OK',
          version: '1.1',
          headers: [
            ['X-a', '1'],
            ['Content-Length', '5'],
            ['x-A', '2'],
          ],
        },
        body: 'hello',
        whole: true,
        reusable: true,
      });
    }
  });

  it('in chunks has neither them nor a field that tells of them, but its trailers', () => {
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n';
    for (const pieces of everySplit(latin1(text))) {
      expect(outcomeOf(pieces)).toMatchObject({
        head: { headers: [] },
        body: 'hello',
        trailers: [['X', 'y']],
        reusable: true,
      });
    }
  });

  it('may have others ahead of it', () => {
    const ahead =
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 102 P\r\n\r\n';
    for (const pieces of everySplit(latin1(`${ahead}HTTP/1.1 204 No Content\r\n\r\n`)))
      expect(outcomeOf(pieces)).toMatchObject({
        informed: [100, 103, 102],
        head: { status: 204 },
        reusable: true,
      });
  });

  it('may switch protocols: what follows is left alone', () => {
    const text = 'HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n\x81\x02hi';
    for (const pieces of everySplit(latin1(text)))
      expect(outcomeOf(pieces)).toMatchObject({ head: { status: 101 }, rest: '\x81\x02hi' });
  });

  const ok = { head: { status: 200 }, body: 'hello', whole: true, reusable: false };
  /** What browsers open all the same. */
  const sloppy: [what: string, text: string, expected?: object][] = [
    ['lines that end in LF', 'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'],
    ['lines that end in both ways', 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 5\r\n\nhello'],
    [
      'the same length twice',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: { headers: [['Content-Length', '5']] },
      },
    ],
    ['the same length in a list', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello'],
    [
      'a length with zeros before it beside one without',
      'HTTP/1.1 200 OK\r\nContent-Length: 05,5\r\n\r\nhello',
    ],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello', { head: { headers: [] } }],
    ['a length that is no number', 'HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello'],
    ['an empty length', 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello'],
    ['a length beyond any', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    [
      'two lengths and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
    [
      'the coding identity',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello',
    ],
    ['the coding identity and no length', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello'],
    [
      'identity behind chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    ],
    ['a coding of its own', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: none\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'another coding under the chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
      {
        head: { codings: ['gzip'] },
      },
    ],
    [
      'a folded value',
      'HTTP/1.1 200 OK\r\nX: a\r\n\t b\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: {
          headers: [
            ['X', 'a b'],
            ['Content-Length', '5'],
          ],
        },
      },
    ],
    [
      'a folded length',
      'HTTP/1.1 200 OK\r\nContent-Length:\r\n 5\r\n\r\nhello',
      { head: { headers: [['Content-Length', '5']] } },
    ],
    [
      'a first field that is folded',
      'HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: { headers: [['Content-Length', '5']] },
      },
    ],
    [
      'a blank before a colon',
      'HTTP/1.1 200 OK\r\nX \t: a\r\nContent-Length : 5\r\n\r\nhello',
      {
        head: {
          headers: [
            ['X', 'a'],
            ['Content-Length', '5'],
          ],
        },
      },
    ],
    [
      'a line without a colon',
      'HTTP/1.1 200 OK\r\nnothing\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: { headers: [['Content-Length', '5']] },
      },
    ],
    ['a field without a name', 'HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 5\r\n\r\nhello'],
    ['a name that is none', 'HTTP/1.1 200 OK\r\nX(y): a\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'a zero byte in a value',
      'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: {
          headers: [
            ['X', 'ab'],
            ['Content-Length', '5'],
          ],
        },
      },
    ],
    [
      'a bare CR in a value',
      'HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 5\r\n\r\nhello',
      {
        head: {
          headers: [
            ['X', 'a Set-Cookie: b'],
            ['Content-Length', '5'],
          ],
        },
      },
    ],
    ['no reason', 'HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello', { reusable: true }],
    ['more blanks in the status line', 'HTTP/1.1  \t200   OK \r\nContent-Length: 5\r\n\r\nhello'],
    ['the protocol in lower case', 'http/1.1 200 ok\r\nContent-Length: 5\r\n\r\nhello'],
    ['no version', 'HTTP 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['a version to come', 'HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['no status', 'HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'the status line of a radio',
      'ICY 200 OK\r\nicy-name: radio\r\n\r\nhello',
      { head: { headers: [['icy-name', 'radio']] } },
    ],
    ['several CR before the LF of lines', 'HTTP/1.1 200 OK\r\r\nContent-Length: 5\r\r\n\r\r\nhello'],
    ['empty lines before it', '\r\n\n\r\n\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['stray bytes before it', '\0xyzHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    [
      'nothing behind the last chunk',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
    ],
    [
      'chunks with lines that end in LF',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \nhello\n0\n\n',
    ],
    ['no length at all', 'HTTP/1.0 200 OK\r\n\r\nhello'],
    [
      'a body that says to close',
      'HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 5\r\n\r\nhello',
    ],
    [
      'a thousand fields',
      `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(999)}Content-Length: 5\r\n\r\nhello`,
      { reusable: true },
    ],
  ];
  for (const [what, text, expected = {}] of sloppy) {
    it(`with ${what} is read as browsers read it, wherever its bytes are split`, () => {
      const splits = text.length > 1000 ? [[latin1(text)]] : everySplit(latin1(text));
      for (const pieces of splits) expect(outcomeOf(pieces)).toMatchObject({ ...ok, ...expected });
    });
  }

  it.each([
    ['204', 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n', [], false],
    ['204 in chunks', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n', [], false],
    ['304', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', [['Content-Length', '5']], true],
    ['205', 'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n', [['Content-Length', '0']], false],
  ] as const)('%s has no body, whatever it says', (_what, text, headers, reusable) => {
    expect(answer(text)).toMatchObject({ body: '', whole: true, head: { headers } });
    expect(outcomeOf([latin1(text)], {}, false).reusable).toBe(reusable);
    expect(answer(`${text}hello`)).toMatchObject({ body: '', reusable: false, rest: 'hello' });
  });

  it.each(['000', '099', '20', '2000', '0200', '1', '99999'])(
    'with %s for its status is a failure of the server with that body, wherever its bytes are split',
    status => {
      const text = `HTTP/1.1 ${status} Odd\r\nContent-Length: 5\r\n\r\nhello`;
      const odd = { ...ok, head: { status: 500, reason: 'Odd' }, reusable: false };
      for (const pieces of everySplit(latin1(text))) expect(outcomeOf(pieces)).toMatchObject(odd);
    },
  );

  it.each([600, 999])('with status %i keeps it', status => {
    const text = `HTTP/1.1 ${status} Odd\r\nContent-Length: 5\r\n\r\nhello`;
    expect(answer(text)).toMatchObject({ head: { status }, body: 'hello', reusable: true });
  });

  it('with more behind its body is over there, and its connection is not used again', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!';
    expect(answer(text)).toMatchObject({ ...ok, rest: '!' });
  });

  it('to HEAD has no body, and its length is that of another answer', () => {
    const text = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n';
    expect(answer(text, { method: 'HEAD' })).toMatchObject({
      body: '',
      reusable: true,
      head: { headers: [['Content-Length', '5']] },
    });
  });

  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!'],
    ['two lengths in a list', 'HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!'],
    ['lines that end in CR', 'HTTP/1.1 200 OK\rContent-Length: 5\r\rhello'],
    ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['noise', '\x15\x03\x03\0\x02\x02F'],
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['empty lines without end', '\r\n'.repeat(100)],
  ])('with %s is refused', (_what, text) => {
    for (const pieces of everySplit(latin1(text)))
      expect(outcomeOf(pieces, { headless: 'text' })).toMatchObject({ failed: 'MANYPATH_HTTP_HEAD_INVALID' });
  });

  it('that is cut off is not whole, and what there is of it is given', () => {
    for (const text of [
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ]) {
      const outcome = answer(text);
      expect(outcome).toMatchObject({ body: 'hello', failed: 'MANYPATH_HTTP_HEAD_INVALID' });
      expect(outcome.whole).toBe(undefined);
    }
  });

  it('with a head that never ends is refused', () => {
    for (const text of [
      `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}`,
      `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(1001)}`,
    ])
      expect(outcomeOf([latin1(text)], {}, false)).toEqual({ failed: 'MANYPATH_HTTP_HEAD_TOO_LARGE' });
  });
});

describe('an answer without a head, of HTTP/0.9,', () => {
  it('is its body, where anything may come, wherever its bytes are split', () => {
    for (const text of ['<html>hello', 'hi', '\x01\x02\x03\x04\x05\x06\x07\x08\x09'])
      for (const pieces of everySplit(latin1(text)))
        expect(outcomeOf(pieces, { headless: 'any' })).toMatchObject({
          head: { status: 200, headers: [] },
          body: text,
          reusable: false,
        });
  });

  it('is plain text, where another protocol may be spoken', () => {
    expect(answer('<script>alert(1)</script>', { headless: 'text' })).toMatchObject({
      head: {
        headers: [
          ['Content-Type', 'text/plain'],
          ['X-Content-Type-Options', 'nosniff'],
        ],
      },
    });
    for (const text of [
      '\x01\x02\x03\x04\x05\x06\x07\x08',
      '220 mail.example ESMTP\r\n',
      '-ERR unknown command\r\n',
    ])
      expect(answer(text, { headless: 'text' })).toMatchObject({ failed: 'MANYPATH_HTTP_HEAD_INVALID' });
  });
});

describe('any bytes', () => {
  it('come to the same whatever the pieces, and to no field that breaks a line', () => {
    const parts = fc.constantFrom(
      'HTTP/1.1 200 OK',
      'http/1.0 404',
      'ICY 200 OK',
      'HTTP/1.1 103 E',
      'HTTP/1.1 101 S',
      '\r\n',
      '\n',
      '\r',
      '\r\n\r\n',
      'Content-Length: 5',
      'Content-Length: 6',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: gzip',
      'Connection: close',
      ' ',
      '\t',
      ':',
      '\0',
      '5',
      '0',
      'hello',
      '; x',
      '\xff',
      'X: y',
      'X',
      '\x01',
    );
    const bytes = fc.array(parts, { maxLength: 24 }).map(all => latin1(all.join('')));
    const cases = bytes.chain(all =>
      fc.tuple(
        fc.constant(all),
        inPieces(all),
        fc.constantFrom('GET', 'HEAD'),
        fc.constantFrom('any' as const, 'text' as const, 'nothing' as const),
      ),
    );
    fc.assert(
      fc.property(cases, ([all, pieces, method, headless]) => {
        const whole = outcomeOf([all], { method, headless });
        const cut = outcomeOf(pieces, { method, headless });
        // What follows a message shows that its connection is no good, unless it comes after the message was over.
        if (whole.rest !== undefined && whole.reusable !== undefined) cut.reusable = whole.reusable;
        // How much of a body came before what is no body depends on where it was cut.
        if (whole.failed === undefined) expect(cut).toEqual(whole);
        else expect(cut.failed).toBe(whole.failed);
        const { headers = [] } = (whole.head ?? {}) as { headers?: [string, string][] };
        expect(headers.flat().join('')).not.toMatch(/[\0\r\n]/);
      }),
      searchBriefly,
    );
  });
});
