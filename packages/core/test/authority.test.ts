import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AuthorityInvalidError,
  formatAuthority,
  isHostName,
  parseAuthority,
  parseListen,
} from '../src/index.ts';
import { errorOf, searchBriefly } from './support/pieces.ts';

describe('where to listen', () => {
  const fallback = { host: '::', port: 8443 };

  it.each(['8444', ':8444'])('may be a port alone: %s', text => {
    expect(parseListen(text, fallback)).toEqual({ host: '::', port: 8444 });
  });

  it('takes what is not said from the default', () => {
    expect(parseListen('192.0.2.1', fallback)).toEqual({ host: '192.0.2.1', port: 8443 });
    expect(parseListen('[::1]:0', fallback)).toEqual({ host: '::1', port: 0 });
  });

  it.each(['65536', ':65536', '123456', '', ':', '::1', 'a:b'])('cannot be %j', text => {
    expect(() => parseListen(text, fallback)).toThrow(AuthorityInvalidError);
  });
});

describe('an authority', () => {
  it('is a host and a port', () => {
    expect(parseAuthority('example.org:443')).toEqual({ host: 'example.org', port: 443 });
    expect(parseAuthority('EXAMPLE.org.:1')).toEqual({ host: 'EXAMPLE.org.', port: 1 });
    expect(parseAuthority('192.0.2.1:65535')).toEqual({ host: '192.0.2.1', port: 65_535 });
    expect(parseAuthority('[2001:db8::1]:80')).toEqual({ host: '2001:db8::1', port: 80 });
    expect(parseAuthority('a_b-.example:80')).toEqual({ host: 'a_b-.example', port: 80 });
    expect(parseAuthority('xn--bcher-kva.example:80').host).toBe('xn--bcher-kva.example');
  });

  it('may have port 0, as listeners do', () => {
    expect(parseAuthority('127.0.0.1:0').port).toBe(0);
  });

  it('may lack the port where there is a default', () => {
    expect(parseAuthority('example.org', 443)).toEqual({ host: 'example.org', port: 443 });
    expect(parseAuthority('[::1]', 80)).toEqual({ host: '::1', port: 80 });
    expect(parseAuthority('a:8080', 80).port).toBe(8080);
    expect(() => parseAuthority('a:', 80)).toThrow(AuthorityInvalidError);
  });

  const refused = [
    '',
    ':',
    ':80',
    'a',
    'a:',
    'a:b',
    'a:-1',
    'a:+1',
    'a: 1',
    'a:1 ',
    'a:65536',
    'a:99999',
    'a:000080',
    'a:0x50',
    'a:1e2',
    'a:8०',
    'a:80\n',
    ' a:80',
    'a b:80',
    'a/b:80',
    'a@b:80',
    'a%00:80',
    'a\0:80',
    'bücher.example:80',
    'a..b:80',
    '.a:80',
    '.:80',
    `${'a'.repeat(64)}.example:80`,
    `${'a.'.repeat(127)}aa:80`,
    '::1:80',
    '2001:db8::1',
    '[::1]80',
    '[::1:80',
    '::1]:80',
    '[[::1]]:80',
    '[]:80',
    '[example.org]:80',
    '[192.0.2.1]:80',
    '[fe80::1%eth0]:80',
    '[::1%25]:80',
    'http://a:80',
  ];
  for (const text of refused) {
    it(`is not ${JSON.stringify(text.length > 40 ? `${text.slice(0, 20)}… (${text.length})` : text)}`, () => {
      const error = errorOf(() => parseAuthority(text));
      expect(error).toMatchObject({ code: 'MANYPATH_AUTHORITY_INVALID' });
      expect((error as AuthorityInvalidError).hint).toContain('host:port');
    });
  }

  it('that is refused cannot forge a line of a log, nor fill it', () => {
    const { message } = errorOf(() => parseAuthority(`a\r\nb${'c'.repeat(10_000)}`)) as Error;
    expect(message).not.toMatch(/[\r\n]/);
    expect(message.length).toBeLessThan(300);
  });

  it('is refused as fast when it is very long', () => {
    expect(() => parseAuthority('a-'.repeat(500_000))).toThrow('it is too long');
    expect(() => parseAuthority(`[${':'.repeat(250)}]:80`)).toThrow('no IPv6 address');
  });

  it('is written as it is read', () => {
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65_535 }), (name, port) => {
        expect(parseAuthority(formatAuthority({ host: name, port }))).toEqual({ host: name, port });
      }),
      searchBriefly,
    );
  });

  it('is read or refused, whatever the text', () => {
    const near = fc.string({ unit: fc.constantFrom(...'ab0159.:[]-_%@ \n'), maxLength: 30 });
    fc.assert(
      fc.property(fc.oneof(near, fc.string({ maxLength: 300 })), text => {
        let authority: ReturnType<typeof parseAuthority>;
        try {
          authority = parseAuthority(text);
        } catch (error) {
          return error instanceof AuthorityInvalidError;
        }
        return parseAuthority(formatAuthority(authority)).host === authority.host;
      }),
      searchBriefly,
    );
  });
});

describe('a host name', () => {
  it('has labels of 1 to 63 characters and 253 at most, a final dot aside', () => {
    const longest = `${'a'.repeat(63)}.`.repeat(3) + 'a'.repeat(61);
    expect(longest).toHaveLength(253);
    expect(isHostName(longest)).toBe(true);
    expect(isHostName(`${longest}.`)).toBe(true);
    expect(isHostName(`${longest}a`)).toBe(false);
    expect(isHostName('a'.repeat(64))).toBe(false);
    for (const text of ['', '.', '..', 'a..', '.a', 'a..b']) expect(isHostName(text)).toBe(false);
  });

  it('may be another spelling of an address, which only looking it up tells', () => {
    for (const text of ['127.1', '0x7f000001', '2130706433', '0177.0.0.1']) {
      expect(isHostName(text)).toBe(true);
    }
  });
});
