import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  connectionOptions,
  endToEndHeaders,
  formatBasicCredentials,
  type HeaderField,
  parseBasicCredentials,
} from '../src/index.ts';
import { searchBriefly } from './support/pieces.ts';

describe('the fields a proxy passes on', () => {
  it('are all but those for the next hop, in any case', () => {
    const kept: HeaderField[] = [
      ['Host', 'a'],
      ['Cookie', 'b'],
      ['cookie', 'c'],
      ['Authorization', 'Basic d'],
      ['Content-Length', '0'],
      ['Transfer-Encodings', 'e'],
    ];
    const dropped: HeaderField[] = [
      ['CONNECTION', 'close'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'keep-alive'],
      ['proxy-authorization', 'Basic x'],
      ['Proxy-Authenticate', 'Basic'],
      ['Proxy-Authentication-Info', 'x'],
      ['TE', 'trailers'],
      ['Trailer', 'x'],
      ['Transfer-Encoding', 'chunked'],
      ['Upgrade', 'websocket'],
    ];
    expect(endToEndHeaders([...dropped, ...kept, ...dropped])).toEqual(kept);
  });

  it('are not those that Connection names, in whichever of its fields', () => {
    const headers: HeaderField[] = [
      ['Connection', ' X-One ,, x-two'],
      ['X-ONE', '1'],
      ['connection', '\tX-Three'],
      ['X-Two', '2'],
      ['X-Three', '3'],
      ['X-Four', '4'],
    ];
    expect(connectionOptions(headers)).toEqual(['x-one', 'x-two', 'x-three']);
    expect(endToEndHeaders(headers)).toEqual([['X-Four', '4']]);
  });

  it('are the host and the length of the body, whatever Connection names', () => {
    const kept: HeaderField[] = [
      ['Host', 'a'],
      ['Content-Length', '5'],
    ];
    expect(endToEndHeaders([['Connection', 'host, Content-Length'], ...kept])).toEqual(kept);
  });
});

describe('Basic credentials', () => {
  it('are user and password; the first colon parts them', () => {
    // The example of RFC 7617 §2, and the one with UTF-8 of §2.1.
    expect(parseBasicCredentials('Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==')).toEqual({
      user: 'Aladdin',
      password: 'open sesame',
    });
    expect(parseBasicCredentials('Basic dGVzdDoxMjPCow==')).toEqual({ user: 'test', password: '123£' });
    expect(parseBasicCredentials(`basic   ${btoa('a:b:c')} `)).toEqual({ user: 'a', password: 'b:c' });
    expect(parseBasicCredentials(`BASIC ${btoa(':')}`)).toEqual({ user: '', password: '' });
  });

  it('keep a byte order mark, which is a character of the secret like any other', () => {
    const credentials = { user: '\ufeffa', password: '\ufeffb' };
    expect(parseBasicCredentials(formatBasicCredentials(credentials))).toEqual(credentials);
  });

  const none = [
    undefined,
    '',
    'Basic',
    'Basic ',
    'Basic =',
    'Basic QWxhZGRpbg==',
    'Basic QQ',
    'Basic Q',
    'Basic Q=Q=',
    'Basic YTpi YTpi',
    'Basic YTpi,',
    'Bearer YTpi',
    'YTpi',
    'BasicYTpi',
    `Basic ${btoa('a:\xff')}`,
    `Basic ${btoa('a:b\n')}`,
    `Basic ${btoa('a\0:b')}`,
    `Basic ${btoa(`a:${'b'.repeat(4000)}`)}`,
  ];
  for (const value of none) {
    it(`are not in ${JSON.stringify(value?.slice(0, 40))}`, () => {
      expect(parseBasicCredentials(value)).toBe(undefined);
    });
  }

  it('are read as they are written', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what Basic cannot carry
    const text = fc.string({ unit: 'grapheme' }).map(value => value.replaceAll(/[\u0000-\u001f\u007f]/g, ''));
    fc.assert(
      fc.property(text, text, (user, password) => {
        const credentials = { user: user.replaceAll(':', ''), password };
        expect(parseBasicCredentials(formatBasicCredentials(credentials))).toEqual(credentials);
      }),
      searchBriefly,
    );
  });
});
