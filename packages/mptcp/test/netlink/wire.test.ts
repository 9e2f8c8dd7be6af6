import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAcknowledgement } from '../../src/netlink/acknowledgement.ts';
import { Attributes, AttributeWriter, eachAttribute } from '../../src/netlink/attributes.ts';
import { NetlinkMalformedError } from '../../src/netlink/errors.ts';
import { aligned, decodeMessages, encodeMessage, type NetlinkMessage } from '../../src/netlink/message.ts';
import { brief, hex, toHex } from './bytes.ts';

const malformed = expect.objectContaining({ code: 'MPTCP_NETLINK_MALFORMED' });

const message: fc.Arbitrary<NetlinkMessage> = fc.record({
  type: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  sequence: fc.nat(0xffff_ffff),
  port: fc.nat(0xffff_ffff),
  payload: fc.uint8Array({ maxLength: 70 }),
});

function join(parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Runs `read`; anything but a result or the error for malformed bytes is a failure. */
function readsOrRefuses(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(NetlinkMalformedError);
  }
}

describe('a netlink message', () => {
  test('is written with its header in the byte order of the host', () => {
    const bytes = encodeMessage({
      type: 0x1a,
      flags: 0x301,
      sequence: 7,
      port: 0x01020304,
      payload: hex('aabbccddee'),
    });
    expect(toHex(bytes)).toBe('15000000 1a00 0103 07000000 04030201 aabbccddee 000000'.replaceAll(' ', ''));
  });

  test('comes back as it was, several in a row', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), messages => {
        expect(decodeMessages(join(messages.map(encodeMessage)))).toEqual(messages);
      }),
      brief,
    );
  });

  test('may end without the filling of its last payload', () => {
    const bytes = encodeMessage({ type: 1, flags: 0, sequence: 0, port: 0, payload: hex('01') });
    expect(decodeMessages(bytes.subarray(0, 17))[0]?.payload).toEqual(hex('01'));
  });

  test('cut at any place is malformed', () => {
    const whole = join(
      [hex('0102030405060708'), hex('0a0b0c0d')].map(payload =>
        encodeMessage({ type: 3, flags: 2, sequence: 1, port: 0, payload }),
      ),
    );
    for (let length = 1; length < whole.byteLength; length++) {
      const cut = (): unknown => decodeMessages(whole.subarray(0, length));
      // Between the two it is one whole message.
      if (length === 24) expect(cut()).toHaveLength(1);
      else expect(cut, `cut after ${length}`).toThrow(malformed);
    }
    expect(decodeMessages(new Uint8Array())).toEqual([]);
  });

  test.each([
    ['a length of nothing', '00000000 0200 0000 00000000 00000000'],
    ['a length below its header', '0f000000 0200 0000 00000000 00000000'],
    ['a length beyond the end', '11000000 0200 0000 00000000 00000000'],
    ['the largest length', 'ffffffff 0200 0000 00000000 00000000'],
  ])('with %s is malformed', (_, digits) => {
    expect(() => decodeMessages(hex(digits))).toThrow(malformed);
  });

  test('of random bytes is read or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => readsOrRefuses(() => decodeMessages(bytes))),
      brief,
    );
  });
});

describe('attributes', () => {
  test('are written with length, type and filling', () => {
    const bytes = new AttributeWriter(hex('0203'))
      .u8(1, 0xab)
      .u16(2, 0x1234)
      .u16be(3, 0x1234)
      .u32(4, 0xdeadbeef)
      .text(5, 'lo')
      .bytes(6, hex(''))
      .u32(7, undefined)
      .nested(8, new AttributeWriter().u8(1, 1))
      .finish();
    expect(toHex(bytes)).toBe(
      [
        '02030000',
        '05000100 ab000000',
        '06000200 34120000',
        '06000300 12340000',
        '08000400 efbeadde',
        '07000500 6c6f0000',
        '04000600',
        '0c000880 05000100 01000000',
      ]
        .join('')
        .replaceAll(' ', ''),
    );
  });

  test('come back as they were', () => {
    const value = fc.tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 40 }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), values => {
        const writer = new AttributeWriter();
        for (const [type, bytes] of values) writer.bytes(type, bytes);
        expect(eachAttribute(writer.finish())).toEqual(values);
      }),
      brief,
    );
  });

  test('give numbers, text, addresses and nests', () => {
    const attributes = new Attributes(
      new AttributeWriter()
        .u8(1, 200)
        .u16(2, 0xfffe)
        .u16be(3, 443)
        .u32(4, 0xffff_fffe)
        .text(5, 'wlan0')
        .bytes(6, hex('c0000201'))
        .bytes(7, hex('20010db8000000000000000000000001'))
        .nested(8, new AttributeWriter().u32(1, 7))
        .nested(
          9,
          new AttributeWriter()
            .nested(1, new AttributeWriter().u8(1, 1))
            .nested(2, new AttributeWriter().u8(1, 2)),
        )
        .finish(),
    );
    expect(attributes.u8(1)).toBe(200);
    expect(attributes.u16(2)).toBe(0xfffe);
    expect(attributes.u16be(3)).toBe(443);
    expect(attributes.u32(4)).toBe(0xffff_fffe);
    expect(attributes.s32(4)).toBe(-2);
    expect(attributes.text(5)).toBe('wlan0');
    expect(attributes.address(6)).toBe('192.0.2.1');
    expect(attributes.address(7)).toBe('2001:db8::1');
    expect(attributes.nested(8)?.u32(1)).toBe(7);
    expect(attributes.list(9).map(element => element.u8(1))).toEqual([1, 2]);
    expect([attributes.u8(99), attributes.text(99), attributes.nested(99), attributes.list(99)]).toEqual([
      undefined,
      undefined,
      undefined,
      [],
    ]);
  });

  test('ignore the flag bits of a type, and take the last of a kind', () => {
    const attributes = new Attributes(hex('05000180 01000000 05000140 02000000'));
    expect(attributes.u8(1)).toBe(2);
  });

  test('of another size than their kind are malformed', () => {
    const attributes = new Attributes(new AttributeWriter().bytes(1, hex('0102 03')).finish());
    for (const read of ['u8', 'u16', 'u16be', 'u32', 's32', 'address'] as const) {
      expect(() => attributes[read](1)).toThrow(malformed);
    }
  });

  test('cut at any place are malformed', () => {
    const whole = new AttributeWriter().u32(1, 1).u32(2, 2).finish();
    for (let length = 1; length < whole.byteLength; length++) {
      const cut = (): unknown => eachAttribute(whole.subarray(0, length));
      if (length === 8) expect(cut()).toHaveLength(1);
      else expect(cut, `cut after ${length}`).toThrow(malformed);
    }
  });

  test.each(['00000100', '03000100', '09000100 00000000', 'ffff0100'])('%s are malformed', digits => {
    expect(() => new Attributes(hex(digits))).toThrow(malformed);
  });

  test('longer than their length field can tell are refused', () => {
    expect(() => new AttributeWriter().bytes(1, new Uint8Array(65_532))).toThrow(malformed);
    expect(new AttributeWriter().bytes(1, new Uint8Array(65_531)).finish()).toHaveLength(aligned(65_535));
  });

  test('of random bytes are read or refused, and never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes =>
        readsOrRefuses(() => {
          const attributes = new Attributes(bytes);
          for (let type = 0; type < 8; type++) {
            readsOrRefuses(() => attributes.u32(type));
            readsOrRefuses(() => attributes.text(type));
            readsOrRefuses(() => attributes.address(type));
            readsOrRefuses(() => attributes.nested(type));
            readsOrRefuses(() => attributes.list(type));
          }
        }),
      ),
      brief,
    );
  });
});

describe('an acknowledgement', () => {
  const acknowledgement = (payload: Uint8Array, flags = 0, type = 2): NetlinkMessage => ({
    type,
    flags,
    sequence: 1,
    port: 0,
    payload,
  });
  const request = '14000000 1a00 0103 07000000 04030201';

  test('tells success', () => {
    expect(decodeAcknowledgement(acknowledgement(hex(`00000000 ${request}`), 0x100))).toEqual({
      errno: 0,
      message: undefined,
    });
  });

  test('tells the error as a positive number, with the words of the kernel', () => {
    const vector = hex(`9bffffff ${request} 0f000100 6e6f2067617465776179 00 00`);
    expect(decodeAcknowledgement(acknowledgement(vector, 0x300))).toEqual({
      errno: 101,
      message: 'no gateway',
    });
    const whole = new AttributeWriter(hex(`eaffffff ${request}`))
      .text(1, 'invalid token')
      .u32(2, 20)
      .finish();
    expect(decodeAcknowledgement(acknowledgement(whole, 0x300))).toEqual({
      errno: 22,
      message: 'invalid token',
    });
  });

  test('skips the request that it repeats when it is not capped', () => {
    const repeated = hex(`eaffffff ${request} 01020304`);
    const whole = new AttributeWriter(repeated).text(1, 'why').finish();
    expect(decodeAcknowledgement(acknowledgement(whole, 0x200))).toEqual({ errno: 22, message: 'why' });
  });

  test('of a listing has the words right behind the number', () => {
    const whole = new AttributeWriter(hex('a1ffffff')).text(1, 'not now').finish();
    expect(decodeAcknowledgement(acknowledgement(whole, 0x202, 3))).toEqual({
      errno: 95,
      message: 'not now',
    });
  });

  test('of a listing may be empty, another may not', () => {
    expect(decodeAcknowledgement(acknowledgement(hex(''), 2, 3)).errno).toBe(0);
    expect(() => decodeAcknowledgement(acknowledgement(hex('000000')))).toThrow(malformed);
    expect(() => decodeAcknowledgement(acknowledgement(hex('00000000 0102'), 0x200))).toThrow(malformed);
  });

  test('of random bytes is read or refused, and never anything else', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(0, 0x100, 0x200, 0x300),
        fc.constantFrom(2, 3),
        (payload, flags, type) =>
          readsOrRefuses(() => decodeAcknowledgement(acknowledgement(payload, flags, type))),
      ),
      brief,
    );
  });
});
