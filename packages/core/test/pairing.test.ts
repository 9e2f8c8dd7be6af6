import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeBase64Url,
  formatPairing,
  PairingInvalidError,
  parsePairing,
  relayUser,
} from '../src/index.ts';
import { errorOf, searchBriefly } from './support/pieces.ts';

const pin = '47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU';

describe('a pairing URL', () => {
  it('has the secret, the address and the pin of a relay', () => {
    expect(parsePairing(`manypath://SECRET@relay.example:8443?pin=${pin}`)).toEqual({
      address: { host: 'relay.example', port: 8443 },
      user: relayUser,
      secret: 'SECRET',
      pin,
      secure: true,
      isRelay: true,
    });
  });

  it('may lack the port and the pin, and have blanks around it', () => {
    expect(parsePairing(' manypath://s@[2001:db8::1]/ \n')).toMatchObject({
      address: { host: '2001:db8::1', port: 8443 },
      pin: undefined,
    });
    expect(parsePairing(`MANYPATH://s@a/?x=y&pin=${pin}&z`).pin).toBe(pin);
  });

  it('may be that of another proxy', () => {
    expect(parsePairing('https://us%3Er:pass:w%40rd@proxy.example')).toEqual({
      address: { host: 'proxy.example', port: 443 },
      user: 'us>r',
      secret: 'pass:w@rd',
      pin: undefined,
      secure: true,
      isRelay: false,
    });
    expect(parsePairing('http://proxy.example')).toEqual({
      address: { host: 'proxy.example', port: 80 },
      user: '',
      secret: '',
      pin: undefined,
      secure: false,
      isRelay: false,
    });
  });

  const refused: [text: string, reason: string][] = [
    ['', 'does not look like'],
    ['manypath://', 'does not look like'],
    ['relay.example:8443', 'does not look like'],
    ['ftp://s@a:1', 'does not look like'],
    ['manypath://s@a:1/path', 'does not look like'],
    ['manypath://s@a:1#fragment', 'does not look like'],
    ['manypath://s@t@a:1', 'does not look like'],
    ['manypath://a:1', 'the secret is missing'],
    ['manypath://@a:1', 'the secret is missing'],
    ['manypath://%zz@a:1', 'its secret is damaged'],
    ['manypath://%ff@a:1', 'its secret is damaged'],
    ['manypath://a%0d%0ab@a:1', 'its secret is damaged'],
    ['manypath://s@a:0', 'port 0'],
    ['manypath://s@a:70000', 'its address'],
    ['manypath://s@a b', 'its address'],
    ['manypath://s@[::1', 'its address'],
    ['manypath://s@a:1?pin=', 'its pin is damaged'],
    [`manypath://s@a:1?pin=${pin.slice(1)}`, 'its pin is damaged'],
    [`manypath://s@a:1?pin=${pin}A`, 'its pin is damaged'],
    // The same 32 bytes in another text: what is compared as text has to have one form.
    [`manypath://s@a:1?pin=${pin.slice(0, -1)}V`, 'its pin is damaged'],
    ['https://us%3aer:password@a', 'its user name has a colon'],
    [`manypath://${'s'.repeat(3000)}@a:1`, 'it is too long'],
  ];
  for (const [text, reason] of refused) {
    it(`is not ${JSON.stringify(text.slice(0, 60))}`, () => {
      const error = errorOf(() => parsePairing(text));
      expect(error).toMatchObject({ code: 'MANYPATH_PAIRING_INVALID' });
      expect((error as PairingInvalidError).message).toContain(reason);
      expect((error as PairingInvalidError).hint).toContain('manypath relay');
    });
  }

  it('that is refused does not tell the secret', () => {
    const texts = [
      'manypath://hunter2@a:99999',
      'manypath://hunter2@@a:1',
      'manypath://hunter2%0a@a:1',
      'manypath://hunter2@a:1?pin=x',
      'https://user:hunter2@a:99999',
    ];
    for (const text of texts) {
      const error = errorOf(() => parsePairing(text)) as PairingInvalidError;
      const cause = error.cause instanceof Error ? error.cause.message : '';
      expect(`${error.message} ${error.hint} ${cause}`).not.toContain('hunter2');
    }
  });

  it('is written as it is read', () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what Basic cannot carry
    const printable = (text: string) => text.replaceAll(/[\u0000-\u001f\u007f]/g, '') || 'x';
    const secret = fc.string({ unit: 'grapheme', maxLength: 40 }).map(printable);
    const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
    const hash = fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }).map(encodeBase64Url), {
      nil: undefined,
    });
    fc.assert(
      fc.property(secret, host, fc.integer({ min: 1, max: 65_535 }), hash, (text, name, port, digest) => {
        const pairing = { secret: text, address: { host: name, port }, pin: digest };
        expect(parsePairing(formatPairing(pairing))).toEqual({
          ...pairing,
          user: relayUser,
          secure: true,
          isRelay: true,
        });
      }),
      searchBriefly,
    );
  });

  it('is read or refused, whatever the text', () => {
    const near = fc.string({ unit: fc.constantFrom(...'mas:@/?#[]%0.&pin='), maxLength: 30 });
    fc.assert(
      fc.property(fc.constantFrom('manypath://', 'https://', ''), near, (scheme, text) => {
        try {
          return parsePairing(scheme + text).address.port > 0;
        } catch (error) {
          return error instanceof PairingInvalidError;
        }
      }),
      searchBriefly,
    );
  });
});
