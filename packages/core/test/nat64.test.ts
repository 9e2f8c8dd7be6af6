import { describe, expect, it } from 'vitest';
import { nat64Prefixes, scopeThrough, translatedAddress } from '../src/index.ts';

describe('the prefix of a translator', () => {
  // RFC 6052 §2.4, with the addresses of RFC 7050.
  it.each([
    ['2001:db8:c000:aa::', 32, '2001:db8:c000:221::', '192.0.2.33'],
    ['2001:db8:1c0:0:aa::', 40, '2001:db8:1c0:2:21::', '192.0.2.33'],
    ['2001:db8:122:c000:0:aa00::', 48, '2001:db8:122:c000:2:2100::', '192.0.2.33'],
    ['2001:db8:122:3c0:0:aa::', 56, '2001:db8:122:3c0:0:221::', '192.0.2.33'],
    ['2001:db8:122:344:c0:0:aa00::', 64, '2001:db8:122:344:c0:2:2100::', '192.0.2.33'],
    ['2001:db8:122:344::192.0.0.171', 96, '2001:db8:122:344::192.0.2.33', '192.0.2.33'],
    ['64:ff9b::c000:aa', 96, '64:ff9b::a00:1', '10.0.0.1'],
  ])('is found in %s, with %i bits', (given, length, address, meant) => {
    const prefixes = nat64Prefixes([given]);
    expect(prefixes.map(({ prefixLength }) => prefixLength)).toEqual([length]);
    expect(translatedAddress(address, prefixes)).toBe(meant);
    expect(translatedAddress('2606:4700::1111', prefixes)).toBeUndefined();
  });

  it('is not found where the resolver answers something else', () => {
    expect(nat64Prefixes(['2606:4700::1111', '192.0.0.170', '::1', 'x'])).toEqual([]);
  });

  it('tells who is behind it', () => {
    const prefixes = nat64Prefixes(['2606:4700:64::c000:aa']);
    expect(scopeThrough('2606:4700:64::a00:1', prefixes)).toBe('private');
    expect(scopeThrough('2606:4700:64::7f00:1', prefixes)).toBe('loopback');
    expect(scopeThrough('2606:4700:64::102:304', prefixes)).toBe('public');
    expect(scopeThrough('2606:4700::a00:1', prefixes)).toBe('public');
    expect(scopeThrough('10.0.0.1', prefixes)).toBe('private');
  });
});
