import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Socks5ServerHandshake,
  type SocksEvent,
  SocksProtocolError,
  socks5Replies,
  socks5Reply,
} from '../src/index.ts';
import { everySplit, hex, inPieces, latin1, searchBriefly } from './support/pieces.ts';

const noMethod = hex('05ff');
const greeting = '05 01 00';
const accepted: SocksEvent = { type: 'reply', bytes: hex('0500') };

/** All events of a handshake whose bytes come in pieces; those after the request are the target's. */
function eventsOf(pieces: readonly Uint8Array[]): SocksEvent[] {
  const handshake = new Socks5ServerHandshake();
  const events: SocksEvent[] = [];
  for (const piece of pieces) {
    if (events.at(-1)?.type !== 'request') events.push(...handshake.push(piece));
  }
  return events;
}

/** What a handshake comes to: its events, or the error and what is to be sent before the end. */
function outcomeOf(pieces: readonly Uint8Array[]): unknown {
  try {
    return eventsOf(pieces);
  } catch (error) {
    if (!(error instanceof SocksProtocolError)) throw error;
    return { code: error.code, message: error.message, reply: error.reply };
  }
}

function nameRequest(name: string, port = '01bb'): Uint8Array {
  const length = name.length.toString(16).padStart(2, '0');
  return hex(greeting, '05 01 00 03', length, Buffer.from(name, 'latin1').toString('hex'), port);
}

describe('a SOCKS5 handshake', () => {
  const requests: [what: string, bytes: Uint8Array, target: { host: string; port: number }][] = [
    ['an IPv4 address', hex(greeting, '05 01 00 01 c0000201 0050'), { host: '192.0.2.1', port: 80 }],
    [
      'an IPv6 address',
      hex(greeting, '05 01 00 04 20010db8000000000000000000000001 01bb'),
      { host: '2001:db8::1', port: 443 },
    ],
    ['a name', nameRequest('example.org'), { host: 'example.org', port: 443 }],
    ['a name of one character', nameRequest('a', 'ffff'), { host: 'a', port: 65_535 }],
    ['an IPv4 address as a name', nameRequest('192.0.2.1'), { host: '192.0.2.1', port: 443 }],
    ['an IPv6 address as a name', nameRequest('2001:db8::1'), { host: '2001:db8::1', port: 443 }],
    ['an IPv6 address in brackets as a name', nameRequest('[::1]'), { host: '::1', port: 443 }],
    [
      'more methods than it needs',
      hex('05 03 02 80 00', '05 01 00 01 7f000001 0050'),
      { host: '127.0.0.1', port: 80 },
    ],
    [
      '255 methods',
      hex(`05 ff ${'80'.repeat(254)} 00`, '05 01 00 01 7f000001 0050'),
      { host: '127.0.0.1', port: 80 },
    ],
  ];
  for (const [what, bytes, target] of requests) {
    it(`asks for ${what}, wherever the bytes are split`, () => {
      for (const pieces of everySplit(bytes)) {
        expect(eventsOf(pieces)).toEqual([accepted, { type: 'request', target, rest: hex('') }]);
      }
    });
  }

  it('may take the longest name there is', () => {
    const name = `${'a'.repeat(63)}.`.repeat(3) + 'b'.repeat(61);
    for (const pieces of everySplit(nameRequest(name))) {
      expect(eventsOf(pieces).at(-1)).toMatchObject({ target: { host: name } });
    }
  });

  it('leaves the bytes behind it to the target, wherever they are split', () => {
    const handshake = nameRequest('example.org');
    const first = latin1('\x16\x03\x01hello');
    for (const pieces of everySplit(Uint8Array.of(...handshake, ...first))) {
      const before: Uint8Array[] = [];
      const socks = new Socks5ServerHandshake();
      let request: SocksEvent | undefined;
      for (const piece of pieces) {
        if (request === undefined) request = socks.push(piece).find(event => event.type === 'request');
        else before.push(piece);
      }
      const rest = request?.type === 'request' ? request.rest : undefined;
      expect(Buffer.concat([rest ?? hex(''), ...before])).toEqual(Buffer.from(first));
    }
  });

  it('takes nothing after the request', () => {
    const handshake = new Socks5ServerHandshake();
    handshake.push(nameRequest('example.org'));
    expect(() => handshake.push(hex('00'))).toThrow('complete');
  });

  it('does not keep the memory of the caller', () => {
    const handshake = new Socks5ServerHandshake();
    const buffer = nameRequest('example.org');
    const head = buffer.slice(0, 12);
    handshake.push(head);
    head.fill(0);
    expect(handshake.push(buffer.subarray(12))).toMatchObject([{ target: { host: 'example.org' } }]);
  });

  const refused: [what: string, bytes: Uint8Array, reply: Uint8Array][] = [
    ['SOCKS4', hex('04 01 0050 c0000201 00'), hex('')],
    ['HTTP', latin1('GET / HTTP/1.1\r\n\r\n'), hex('')],
    ['TLS', hex('16 03 01 02 00'), hex('')],
    ['no method', hex('05 00'), noMethod],
    ['user name and password only', hex('05 01 02'), noMethod],
    ['GSSAPI and private methods', hex('05 03 01 02 80'), noMethod],
    ['another version in the request', hex(greeting, '04 01 00 01'), socks5Reply(1)],
    ['BIND', hex(greeting, '05 02 00 01 c0000201 0050'), socks5Reply(7)],
    ['UDP ASSOCIATE', hex(greeting, '05 03 00 01 00000000 0000'), socks5Reply(7)],
    ['an unknown command', hex(greeting, '05 ff'), socks5Reply(7)],
    ['an unknown address type', hex(greeting, '05 01 00 02'), socks5Reply(8)],
    ['an empty name', nameRequest(''), socks5Reply(1)],
    ['a name with a zero byte', nameRequest('a\0b'), socks5Reply(1)],
    ['a name with a line break', nameRequest('a\r\nb'), socks5Reply(1)],
    ['a name that is not ASCII', nameRequest('b\xfccher'), socks5Reply(1)],
    ['a name in brackets', nameRequest('[example.org]'), socks5Reply(1)],
    ['a host with a port in it', nameRequest('example.org:80'), socks5Reply(1)],
    ['255 bytes that are no name', nameRequest('.'.repeat(255)), socks5Reply(1)],
  ];
  for (const [what, bytes, reply] of refused) {
    it(`is refused with ${what}, with the same reply wherever the bytes are split`, () => {
      const whole = outcomeOf([bytes]);
      expect(whole).toMatchObject({ code: 'MANYPATH_SOCKS_PROTOCOL', reply });
      for (const pieces of everySplit(bytes)) expect(outcomeOf(pieces)).toEqual(whole);
    });
  }

  it('tells nothing while it is incomplete', () => {
    const bytes = nameRequest('example.org');
    for (let length = 0; length < bytes.length; length++) {
      expect(eventsOf([bytes.subarray(0, length)])).toEqual(length < 3 ? [] : [accepted]);
    }
  });

  it('is over within 519 bytes, whatever they are, and the same in any pieces', () => {
    const start = fc.constantFrom(
      '',
      '05',
      '0501',
      greeting,
      `${greeting}05`,
      `${greeting}0501`,
      `${greeting}050100`,
    );
    const bytes = fc
      .tuple(start, fc.uint8Array({ minLength: 519, maxLength: 700 }))
      .map(([prefix, random]) => Uint8Array.of(...hex(prefix), ...random))
      .chain(all => fc.tuple(fc.constant(all), inPieces(all)));
    fc.assert(
      fc.property(bytes, ([all, pieces]) => {
        const whole = outcomeOf([all]);
        if (!Array.isArray(whole)) expect(outcomeOf(pieces)).toEqual(whole);
        // Only what comes behind the request depends on the pieces: it may not have been read yet.
        else expect(outcomeOf(pieces)).toMatchObject([whole[0], { target: whole[1].target }]);
      }),
      searchBriefly,
    );
  });
});

describe('a SOCKS5 reply', () => {
  it('names the address dialled from, or none', () => {
    expect(socks5Reply(socks5Replies.succeeded)).toEqual(hex('05 00 00 01 00000000 0000'));
    expect(socks5Reply(socks5Replies.connectionRefused)).toEqual(hex('05 05 00 01 00000000 0000'));
    expect(socks5Reply(0, { host: '192.0.2.1', port: 443 })).toEqual(hex('05 00 00 01 c0000201 01bb'));
    expect(socks5Reply(0, { host: '::1', port: 65_535 })).toEqual(
      hex('05 00 00 04 00000000000000000000000000000001 ffff'),
    );
    expect(socks5Reply(0, { host: 'example.org', port: 1 })).toEqual(hex('05 00 00 01 00000000 0001'));
  });
});
