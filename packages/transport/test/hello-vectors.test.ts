import { readFileSync } from 'node:fs';
import { frameHeadBytes } from '@manypath/session';
import { describe, expect, it } from 'vitest';
import {
  decodeHello,
  decodeRefused,
  decodeWelcome,
  encodeHello,
  encodeRefused,
  encodeWelcome,
  provesSecret,
  provesSession,
} from '../src/index.ts';

const page = readFileSync(new URL('../../../docs/SESSION.md', import.meta.url), 'utf8');
const secret = 'correct horse';
const exporter = count(0x40, 32);
const session = { id: count(0x10, 16), key: count(0x80, 32) };

describe('the beginning of a carrier in docs/SESSION.md', () => {
  it('has the HELLO of a new session', () => {
    const frame = encodeHello({ carrier: 1, user: 'ada', secret, exporter });
    expect(hex(frame)).toBe(vector('HELLO carrier 1, new session'));
    const hello = decodeHello(frame.subarray(frameHeadBytes));
    expect(hello).toMatchObject({ carrier: 1, user: 'ada', session: undefined });
    expect(provesSecret(hello, secret, exporter)).toBe(true);
  });

  it('has the HELLO of one that goes on, which proves nothing on another connection', () => {
    const frame = encodeHello({ carrier: 2, user: 'ada', secret, exporter, session });
    expect(hex(frame)).toBe(vector('HELLO carrier 2, the session goes on'));
    const hello = decodeHello(frame.subarray(frameHeadBytes));
    expect(hex(hello.session ?? new Uint8Array())).toBe(hex(session.id));
    expect([provesSecret(hello, secret, exporter), provesSession(hello, session, exporter)]).toEqual([
      true,
      true,
    ]);
    const other = count(0x41, 32);
    expect([provesSecret(hello, secret, other), provesSession(hello, session, other)]).toEqual([
      false,
      false,
    ]);
  });

  it('has WELCOME and REFUSED', () => {
    const welcome = encodeWelcome({ session, windowBytes: 262_144 }, secret, exporter);
    expect(hex(welcome)).toBe(vector('WELCOME'));
    expect(decodeWelcome(welcome.subarray(frameHeadBytes), secret, exporter).windowBytes).toBe(262_144);
    const refused = encodeRefused(2, 'gone');
    expect(hex(refused)).toBe(vector('REFUSED 2, gone'));
    expect(decodeRefused(refused.subarray(frameHeadBytes))).toEqual({ code: 2, words: 'gone' });
  });
});

function vector(name: string): string | undefined {
  const rows = [...page.matchAll(/^\| ([A-Z]{3,}.*?) \| `([0-9a-f]{16,})` \|$/gm)];
  return rows.find(([, said = '']) => said.replaceAll('`', '') === name)?.[2];
}

function count(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => from + at);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
