import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Socks4ServerHandshake, SocksProtocolError, socks4Replies, socks4Reply } from '../src/index.ts';
import { everySplit, hex, inPieces, searchBriefly } from './support/pieces.ts';

/** The target and what followed, or what the client is told. */
function outcomeOf(pieces: readonly Uint8Array[]): unknown {
  const handshake = new Socks4ServerHandshake();
  try {
    for (const [index, piece] of pieces.entries()) {
      const [event] = handshake.push(piece);
      if (event?.type !== 'request') continue;
      const rest = Buffer.concat([event.rest, ...pieces.slice(index + 1)]).toString('hex');
      return { target: event.target, rest };
    }
    return 'incomplete';
  } catch (error) {
    if (!(error instanceof SocksProtocolError)) throw error;
    return { reply: Buffer.from(error.reply).toString('hex') };
  }
}

describe('a SOCKS4 request', () => {
  it('names an address, wherever its bytes are split', () => {
    const bytes = hex('04 01 0050 c0000201 66726564 00', 'cafe');
    for (const pieces of everySplit(bytes))
      expect(outcomeOf(pieces)).toEqual({ target: { host: '192.0.2.1', port: 80 }, rest: 'cafe' });
  });

  it('names a host as SOCKS4a has it, wherever its bytes are split', () => {
    const bytes = hex('04 01 01bb 00000007 00', '6578616d706c652e6f7267 00', '16');
    for (const pieces of everySplit(bytes))
      expect(outcomeOf(pieces)).toEqual({ target: { host: 'example.org', port: 443 }, rest: '16' });
  });

  it.each([
    ['another command', hex('04 02 0050 c0000201 00'), '005b000000000000'],
    ['a user name that never ends', hex('04 01 0050 c0000201', '61'.repeat(256)), '005b000000000000'],
    ['a host name that never ends', hex('04 01 0050 00000001 00', '61'.repeat(256)), '005b000000000000'],
    ['a host name that is none', hex('04 01 0050 00000001 00', '612062 00'), '005b000000000000'],
    ['no host name at all', hex('04 01 0050 00000001 00 00'), '005b000000000000'],
    ['another version', hex('05 01 00'), ''],
  ])('is refused with %s', (_what, bytes, reply) => {
    for (const pieces of everySplit(bytes)) expect(outcomeOf(pieces)).toEqual({ reply });
  });

  it('comes to the same whatever the pieces', () => {
    const any = fc
      .oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(hex('04 01 0050 00000001 00 6100 ff')))
      .chain(bytes => fc.tuple(fc.constant(bytes), inPieces(bytes)));
    fc.assert(
      fc.property(any, ([bytes, pieces]) => {
        expect(outcomeOf(pieces)).toEqual(outcomeOf([bytes]));
      }),
      searchBriefly,
    );
  });

  it('takes nothing behind its end', () => {
    const handshake = new Socks4ServerHandshake();
    handshake.push(hex('04 01 0050 c0000201 00'));
    expect(() => handshake.push(hex('00'))).toThrow('complete');
  });

  it('is answered with eight bytes', () => {
    expect(socks4Reply(socks4Replies.granted)).toEqual(hex('00 5a 0000 00000000'));
  });
});
