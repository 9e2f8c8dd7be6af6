import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DnsMessageError,
  type DnsQuery,
  dnsMessageLimits,
  dnsResponseCodes,
  dnsTypes,
  encodeDnsRefusal,
  encodeDnsResponse,
  parseDnsQuery,
} from '../src/index.ts';

/** What `getaddrinfo` sends for `Nas.LAN`, type A: id 1234, recursion desired. */
const plainQuery = bytes('1234 0100 0001 0000 0000 0000', '034e6173 034c414e 00', '0001 0001');
/** The same for AAAA with an OPT record that offers 4096 bytes. */
const ednsQuery = bytes(
  '1234 0100 0001 0000 0000 0001',
  '034e6173 034c414e 00',
  '001c 0001',
  '00 0029 1000 00000000 0000',
);

describe('a DNS query', () => {
  it('is read with its name in lower case and its question as it came', () => {
    expect(parseDnsQuery(plainQuery)).toEqual({
      id: 0x1234,
      recursionDesired: true,
      name: 'nas.lan',
      type: dnsTypes.a,
      question: bytes('034e6173 034c414e 00', '0001 0001'),
      edns: false,
      maxResponseBytes: 512,
    });
  });

  it('may offer a larger response, of which no more is used than fits a packet anywhere', () => {
    expect(parseDnsQuery(ednsQuery)).toMatchObject({
      type: dnsTypes.aaaa,
      edns: true,
      maxResponseBytes: 1232,
    });
    const small = ednsQuery.slice();
    small.set([0x00, 0x10], small.length - 8);
    expect(parseDnsQuery(small).maxResponseBytes).toBe(512);
  });

  it('may be for the root', () => {
    expect(parseDnsQuery(bytes('0001 0000 0001 0000 0000 0000', '00', '0002 0001')).name).toBe('');
  });

  it('is refused when it is cut short anywhere', () => {
    for (const query of [plainQuery, ednsQuery]) {
      for (let length = 0; length < query.length; length += 1) {
        expect(() => parseDnsQuery(query.subarray(0, length))).toThrow(DnsMessageError);
      }
    }
  });

  const refused: [string, string[], number][] = [
    ['bytes after the question', ['0001 0100 0001 0000 0000 0000', '016100', '0001 0001', 'ff'], 1],
    ['no question', ['0001 0100 0000 0000 0000 0000'], 1],
    ['two questions', ['0001 0100 0002 0000 0000 0000', '016100 0001 0001', '016100 0001 0001'], 1],
    ['an answer in it', ['0001 0100 0001 0001 0000 0000', '016100 0001 0001'], 1],
    ['a name by pointer', ['0001 0100 0001 0000 0000 0000', 'c00c', '0001 0001'], 1],
    ['a pointer that loops behind a label', ['0001 0100 0001 0000 0000 0000', '0161c00c', '0001 0001'], 1],
    ['a label of reserved type', ['0001 0100 0001 0000 0000 0000', '4061', '0001 0001'], 1],
    ['a dot inside a label', ['0001 0100 0001 0000 0000 0000', '03612e6200', '0001 0001'], 1],
    ['a zero byte inside a label', ['0001 0100 0001 0000 0000 0000', '03610062 00', '0001 0001'], 1],
    [
      'a record that is not OPT',
      ['0001 0100 0001 0000 0000 0001', '016100 0001 0001', '00 0001 1000 00000000 0000'],
      1,
    ],
    [
      'an OPT record longer than the message',
      ['0001 0100 0001 0000 0000 0001', '016100 0001 0001', '00 0029 1000 00000000 0001'],
      1,
    ],
    ['another class', ['0001 0100 0001 0000 0000 0000', '016100', '0001 0003'], 4],
    ['another opcode', ['0001 2800 0001 0000 0000 0000', '016100', '0001 0001'], 4],
  ];
  for (const [what, parts, responseCode] of refused) {
    it(`is refused with ${what}`, () => {
      const error = errorOf(() => parseDnsQuery(bytes(...parts)));
      expect(error).toMatchObject({ code: 'MANYPATH_DNS_MESSAGE_INVALID', responseCode, id: 1 });
      const response = encodeDnsRefusal(error as DnsMessageError);
      expect(response).toEqual(bytes('0001', responseCode === 1 ? '8081' : '8084', '0000 0000 0000 0000'));
    });
  }

  it('that is itself a response gets none, so that two name servers do not talk for ever', () => {
    const error = errorOf(() => parseDnsQuery(bytes('0001 8180 0001 0000 0000 0000', '016100 0001 0001')));
    expect(encodeDnsRefusal(error as DnsMessageError)).toBe(undefined);
  });

  it('has a name of at most 255 bytes and is itself no longer than the limit', () => {
    const label = `3f${'61'.repeat(63)}`;
    const query = (labels: string) => bytes('0001 0100 0001 0000 0000 0000', labels, '00', '0001 0001');
    expect(parseDnsQuery(query(`${label.repeat(3)}3d${'61'.repeat(61)}`)).name).toHaveLength(253);
    expect(() => parseDnsQuery(query(`${label.repeat(3)}3e${'61'.repeat(62)}`))).toThrow('name too long');
    expect(() => parseDnsQuery(query(label.repeat(30)))).toThrow('too long');
  });
});

describe('a DNS response', () => {
  const query = parseDnsQuery(plainQuery);

  it('repeats the question and carries the addresses', () => {
    const response = encodeDnsResponse(query, {
      code: dnsResponseCodes.success,
      addresses: [Uint8Array.of(192, 168, 0, 7)],
      ttlSeconds: 5,
    });
    expect(response).toEqual(
      bytes(
        '1234 8180 0001 0001 0000 0000',
        '034e6173 034c414e 00 0001 0001',
        'c00c 0001 0001 00000005 0004 c0a80007',
      ),
    );
  });

  it('answers an OPT record with one', () => {
    const response = encodeDnsResponse(parseDnsQuery(ednsQuery), { code: dnsResponseCodes.noSuchName });
    expect(response).toEqual(
      bytes('1234 8183 0001 0000 0000 0001', '034e6173 034c414e 00 001c 0001', '00 0029 04d0 00000000 0000'),
    );
  });

  it('leaves out addresses of the other family and those that do not fit', () => {
    const many = Array.from({ length: 100 }, (_, last) => Uint8Array.of(10, 0, 0, last));
    const response = encodeDnsResponse(query, { code: 0, addresses: [new Uint8Array(16), ...many] });
    const room = Math.floor((512 - 12 - query.question.length) / 16);
    expect(new DataView(response.buffer).getUint16(6)).toBe(room);
    expect(response.length).toBeLessThanOrEqual(512);
  });
});

describe('hostile bytes', () => {
  it('end in a query or in the one error, whatever they are', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(plainQuery, ednsQuery),
        fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
      )
      .map(([query, changes]) => {
        const copy = query.slice();
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 1100 }), mutated), input => {
        const outcome = readOrError(input);
        if (outcome instanceof DnsMessageError) return (encodeDnsRefusal(outcome)?.length ?? 12) === 12;
        const response = encodeDnsResponse(outcome, {
          code: 0,
          addresses: [new Uint8Array(4), new Uint8Array(16)],
        });
        return outcome.name.length <= 253 && response.length <= dnsMessageLimits.responseBytes;
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false, numRuns: 20_000 },
    );
  });
});

function readOrError(input: Uint8Array): DnsQuery | DnsMessageError {
  try {
    return parseDnsQuery(input);
  } catch (error) {
    if (error instanceof DnsMessageError) return error;
    throw error;
  }
}

function errorOf(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

function bytes(...hex: string[]): Uint8Array {
  return Uint8Array.from(hex.join('').replaceAll(' ', '').match(/../g) ?? [], pair =>
    Number.parseInt(pair, 16),
  );
}
