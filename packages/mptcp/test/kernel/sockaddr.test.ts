import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AF_INET, AF_INET6 } from '../../src/kernel/constants.ts';
import { decodeSockaddr, encodeSockaddr, familyOf } from '../../src/kernel/sockaddr.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('struct sockaddr', () => {
  test('of IPv4 is sockaddr_in', () => {
    expect(hexOf(encodeSockaddr('192.0.2.1', 443))).toBe(`020001bbc0000201${'00'.repeat(8)}`);
  });

  test('of IPv6 is sockaddr_in6', () => {
    expect(hexOf(encodeSockaddr('2001:db8::1', 80))).toBe(
      `0a00005000000000${'20010db8000000000000000000000001'}00000000`,
    );
  });

  test.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
    ['64:ff9b::1.2.3.4', '0064ff9b000000000000000001020304'],
    ['FE80::A', 'fe80000000000000000000000000000a'],
  ])('of %s has its 16 bytes', (text, bytes) => {
    expect(hexOf(encodeSockaddr(text, 0)).slice(16, 48)).toBe(bytes);
  });

  test('takes the scope id from a zone', () => {
    expect(hexOf(encodeSockaddr('fe80::1%7', 0)).slice(48)).toBe('07000000');
    expect(() => encodeSockaddr('fe80::1%nowhere0', 0)).toThrow(/nowhere0/);
  });

  test('is refused for anything that is no IP literal', () => {
    for (const text of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', '[::1]']) {
      expect(() => encodeSockaddr(text, 0)).toThrow(
        expect.objectContaining({ code: 'MPTCP_ARGUMENT_INVALID' }),
      );
    }
  });

  test.each([
    ['0a000050000000000000000000000000000000000000000000000000', '::'],
    ['0a000050000000000000000000000000000000000000000100000000', '::1'],
    ['0a0000500000000020010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['0a0000500000000020010db8000100010001000100010000', '2001:db8:1:1:1:1:1:0'],
    ['0a0000500000000000010000000300000005000000070000', '1:0:3:0:5:0:7:0'],
    ['0a0000500000000000000000000000000000ffff01020304', '1.2.3.4'],
  ])('%s is read in the shortest form (RFC 5952)', (bytes, address) => {
    expect(decodeSockaddr(Buffer.from(bytes, 'hex'))).toEqual({ address, port: 80 });
  });

  test('of another family, or cut off at any place, is nothing', () => {
    expect(decodeSockaddr(Buffer.from('0100636f6e7461696e7300', 'hex'))).toBeUndefined();
    const v4 = encodeSockaddr('10.0.0.1', 1);
    for (let end = 0; end < 8; end++) expect(decodeSockaddr(v4.subarray(0, end))).toBeUndefined();
    const v6 = encodeSockaddr('fe80::1', 1);
    for (let end = 0; end < 24; end++) expect(decodeSockaddr(v6.subarray(0, end))).toBeUndefined();
  });

  test('survives the way there and back for every address', () => {
    const port = fc.integer({ min: 0, max: 65535 });
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), port, (text, number) => {
        const once = decodeSockaddr(encodeSockaddr(text, number));
        expect(once?.port).toBe(number);
        const address = once?.address ?? '';
        expect(isIP(address)).not.toBe(0);
        expect(decodeSockaddr(encodeSockaddr(address, number))).toEqual(once);
        const sameValue = new URL(`http://${isIP(text) === 6 ? `[${text}]` : text}/`).hostname;
        if (isIP(address) === isIP(text)) expect(sameValue.replace(/[[\]]/g, '')).toBe(address);
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });

  test('has the family of its literal', () => {
    expect([familyOf('1.2.3.4'), familyOf('::ffff:1.2.3.4'), familyOf('fe80::1%lo')]).toEqual([
      AF_INET,
      AF_INET6,
      AF_INET6,
    ]);
  });
});
