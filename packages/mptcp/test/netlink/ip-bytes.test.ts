import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipBytes, ipText, parsePrefix, peerText, prefixText } from '../../src/netlink/ip-bytes.ts';
import { brief, hex, toHex } from './bytes.ts';

const wrong = expect.objectContaining({ code: 'MPTCP_NETLINK_ARGUMENT' });

describe('an IP address', () => {
  test.each([
    ['192.0.2.1', 'c0000201'],
    ['0.0.0.0', '00000000'],
    ['::', '00000000000000000000000000000000'],
    ['2001:db8::1', '20010db8000000000000000000000001'],
    ['fe80::a:0:0:1', 'fe80000000000000000a000000000001'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ])('%s is %s', (text, digits) => {
    expect(toHex(ipBytes(text))).toBe(digits);
    expect(ipText(hex(digits))).toBe(text);
  });

  test('comes back as it was', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ minLength: 4, maxLength: 4 }),
          fc.uint8Array({ minLength: 16, maxLength: 16 }),
        ),
        bytes => {
          expect(ipBytes(ipText(bytes))).toEqual(bytes);
        },
      ),
      brief,
    );
  });

  test.each(['', 'a', '1.2.3', '1.2.3.4.5', 'fe80::1%eth0', '::1/64', '01.2.3.4', '1.2.3.256'])(
    'is not %j',
    text => {
      expect(() => ipBytes(text)).toThrow(wrong);
    },
  );

  test('of a peer is told as IPv4 when it is mapped into IPv6', () => {
    expect(peerText(hex('00000000000000000000ffffc0000201'))).toBe('192.0.2.1');
    expect(peerText(hex('20010db8000000000000000000000001'))).toBe('2001:db8::1');
  });

  test('has 4 or 16 bytes', () => {
    expect(() => ipText(hex('0102030405'))).toThrow(
      expect.objectContaining({ code: 'MPTCP_NETLINK_MALFORMED' }),
    );
  });
});

describe('a prefix', () => {
  test.each([
    ['10.0.0.0/8', 4, 8],
    ['0.0.0.0/0', 4, 0],
    ['192.0.2.1', 4, 32],
    ['2001:db8::/32', 6, 32],
    ['::1', 6, 128],
  ])('%s has IPv%i and %i bits', (text, family, length) => {
    expect(parsePrefix(text)).toMatchObject({ family, length });
    expect(prefixText(family as 4 | 6, text.replace(/\/.*/, ''), length)).toBe(
      text.includes('/') ? text : `${text}/${length}`,
    );
  });

  test.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '::/129',
    'default',
    '10.0.0.0/0x8',
    '/8',
  ])('is not %j', text => {
    expect(() => parsePrefix(text)).toThrow(wrong);
  });

  test('without an address holds everything', () => {
    expect(prefixText(4, undefined, 0)).toBe('0.0.0.0/0');
    expect(prefixText(6, undefined, 0)).toBe('::/0');
  });
});
