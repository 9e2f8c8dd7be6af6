import { describe, expect, it } from 'vitest';
import { clientKeepsAlive, type HeaderField, keepsAlive, requestBodyLength } from '../src/index.ts';
import { errorOf } from './support/pieces.ts';

const length = (headers: HeaderField[], version: '1.0' | '1.1' = '1.1') =>
  requestBodyLength({ version, headers });

describe('the body of a request', () => {
  it('is as long as its length says, in chunks, or not there', () => {
    expect(length([])).toBe(0);
    expect(length([['Content-Length', '5']])).toBe(5);
    expect(length([['content-length', '005']])).toBe(5);
    expect(length([['Transfer-Encoding', 'Chunked']])).toBe('chunked');
  });

  it('may have the same length said more than once', () => {
    expect(
      length([
        ['Content-Length', '5'],
        ['content-length', '5'],
      ]),
    ).toBe(5);
    expect(length([['Content-Length', '5, 5']])).toBe(5);
  });

  const lengths = [
    '',
    '+5',
    '-5',
    '0x5',
    '5a',
    '5 6',
    '5, 6',
    '5,',
    ',5',
    '5.0',
    '\xa05',
    '5\x0b',
    '٥',
    '9007199254740993',
  ];
  it.each(lengths)('is refused with the length %j', text => {
    expect(errorOf(() => length([['Content-Length', text]]))).toMatchObject({ status: 400 });
  });

  it.each([
    ['x', 400],
    ['xchunked', 400],
    ['identity', 400],
    ['chunked, identity', 400],
    ['chunked,', 400],
    ['"chunked"', 400],
    ['chunked;q=1', 400],
    ['\x0bchunked', 400],
    ['\xa0chunked', 400],
    ['gzip, chunked', 501],
    ['chunked, chunked', 501],
  ])('is refused with the coding %j: %i', (text, status) => {
    expect(errorOf(() => length([['Transfer-Encoding', text]]))).toMatchObject({ status });
  });

  it('is refused with a length and a coding, and with a coding in HTTP/1.0', () => {
    const chunked: HeaderField = ['Transfer-Encoding', 'chunked'];
    const fields: HeaderField[][] = [
      [chunked, ['Content-Length', '5']],
      [['Content-Length', '0'], chunked],
    ];
    for (const headers of fields) expect(errorOf(() => length(headers))).toMatchObject({ status: 400 });
    expect(errorOf(() => length([chunked], '1.0'))).toMatchObject({ status: 400 });
  });
});

describe('a connection', () => {
  it.each([
    ['1.1', [], true],
    ['1.1', [['Connection', 'Close']], false],
    ['1.1', [['Connection', 'keep-alive, close']], false],
    ['1.0', [], false],
    ['1.0', [['Connection', 'x, Keep-Alive']], true],
  ] as const)('of HTTP/%s with %j is kept: %j', (version, headers, kept) => {
    expect(keepsAlive({ version, headers })).toBe(kept);
    expect(clientKeepsAlive({ version, headers })).toBe(kept);
  });

  it('may be kept or closed by what browsers said to proxies', () => {
    expect(clientKeepsAlive({ version: '1.0', headers: [['Proxy-Connection', 'Keep-Alive']] })).toBe(true);
    expect(clientKeepsAlive({ version: '1.1', headers: [['Proxy-Connection', 'close']] })).toBe(false);
  });
});
