import { dnsResponseCodes, dnsTypes, encodeDnsResponse, parseDnsQuery, parseIpAddress } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DnsQuestion, decodeDnsReply, encodeDnsQuestion } from '../src/names/dns-query.ts';

const question: DnsQuestion = { id: 0x1234, name: 'www.example.org', type: dnsTypes.a, edns: true };
const address = parseIpAddress('192.0.2.7')?.bytes ?? new Uint8Array();

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(/\s+/g, ''), 'hex'));
}

/** `www.example.org IN A` and, from offset 12, its name for pointers. */
const asked = '03777777 07 6578616d706c65 03 6f7267 00 0001 0001';

describe('a question', () => {
  it('has the bytes of RFC 1035, and an OPT record', () => {
    expect(Buffer.from(encodeDnsQuestion(question)).toString('hex')).toBe(
      bytes(`1234 0100 0001 0000 0000 0001 ${asked} 00 0029 04d0 00000000 0000`).reduce(
        (text, byte) => text + byte.toString(16).padStart(2, '0'),
        '',
      ),
    );
  });

  it('is understood by a server, and its answer by us', () => {
    const query = parseDnsQuery(encodeDnsQuestion(question));
    expect(query).toMatchObject({ name: 'www.example.org', type: 1, edns: true });
    const response = encodeDnsResponse(query, { code: 0, addresses: [address], ttlSeconds: 77 });
    expect(decodeDnsReply(response, question)).toEqual({
      code: 0,
      truncated: false,
      addresses: ['192.0.2.7'],
      ttlSeconds: 77,
    });
  });
});

describe('an answer', () => {
  const decode = (hex: string) => decodeDnsReply(bytes(hex), question);

  it('is followed through its aliases, and holds as long as the shortest of them', () => {
    const reply = decode(`1234 8180 0001 0002 0000 0000 ${asked}
      c00c 0005 0001 0000003c 0006 03 63646e c010
      c02d 0001 0001 0000012c 0004 c0000207`);
    expect(reply).toMatchObject({ addresses: ['192.0.2.7'], ttlSeconds: 60 });
  });

  it('that there is none holds as long as the zone says', () => {
    const reply = decode(`1234 8183 0001 0000 0001 0000 ${asked}
      c010 0006 0001 00000e10 0016 00 00 00000001 00000002 00000003 00000004 00000078`);
    expect(reply).toEqual({
      code: dnsResponseCodes.noSuchName,
      truncated: false,
      addresses: [],
      ttlSeconds: 120,
    });
  });

  it('to another question is none', () => {
    const response = (id: string, body: string) => decode(`${id} 8180 0001 0000 0000 0000 ${body}`);
    expect(response('1235', asked)).toBeUndefined();
    expect(response('1234', asked.replace('0001 0001', '001c 0001'))).toBeUndefined();
    expect(response('1234', '03777777 07 6578616d706c65 03 636f6d 00 0001 0001')).toBeUndefined();
    expect(decode(`1234 0180 0001 0000 0000 0000 ${asked}`)).toBeUndefined();
    expect(response('1234', '03575757 07 6578616d706c65 03 6f7267 00 0001 0001')).toBeDefined();
  });

  it('of somebody else beside ours is not taken', () => {
    const reply = decode(`1234 8180 0001 0001 0000 0000 ${asked}
      03 6f7468 00 0001 0001 0000012c 0004 c0000207`);
    expect(reply?.addresses).toEqual([]);
  });

  it.each([
    ['a name that points to itself', `c021 0001 0001 00000000 0004 c0000207`],
    ['a name that points forwards', `c0ff 0001 0001 00000000 0004 c0000207`],
    ['an address cut short', `c00c 0001 0001 00000000 0004 c000`],
    ['nothing', ''],
  ])('with %s cannot be read', (_, record) => {
    expect(() => decode(`1234 8180 0001 0001 0000 0000 ${asked} ${record}`)).toThrow(
      expect.objectContaining({ code: 'MANYPATH_NAME_LOOKUP_FAILED' }),
    );
  });

  it('of any bytes is read, refused, or not one', () => {
    const head = bytes(`1234 8180 0001 0003 0002 0000 ${asked}`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (tail, isOurs) => {
        const message = isOurs ? Uint8Array.from([...head, ...tail]) : tail;
        try {
          const reply = decodeDnsReply(message, question);
          expect(reply === undefined || Array.isArray(reply.addresses)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'MANYPATH_NAME_LOOKUP_FAILED' });
        }
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});
