import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  decodeLeft,
  decodeNumber,
  decodeOpen,
  decodeReset,
  encodeFrame,
  encodeLeft,
  encodeNumber,
  encodeOpen,
  encodeReset,
  writeDataHead,
} from '../src/frames.ts';
import { FrameReader, frameTypes, sessionLimits } from '../src/index.ts';

const page = readFileSync(new URL('../../../docs/SESSION.md', import.meta.url), 'utf8');
const vectors = new Map(
  [...page.matchAll(/^\| ([A-Z]{3,}.*?) \| `([0-9a-f]{16,})` \|$/gm)].map(([, name = '', hex = '']) => [
    name.replaceAll('`', ''),
    new Uint8Array(Buffer.from(hex, 'hex')),
  ]),
);

const { left, settled, reset, goodbye } = frameTypes;
const toAnExample = { kind: 'tcp', target: 'a.example:443', publicOnly: true, credit: 262_144 } as const;
const aPublication = { kind: 'publication', target: 'blog', publicOnly: false, credit: 65_536 } as const;
const why = { code: 3, message: 'no' };
const end = { code: 7, message: 'bye' };

/** How each frame of the page is written, and what is read from its body. */
const frames: Record<
  string,
  { write: () => Uint8Array; read?: (body: Uint8Array) => unknown; said?: unknown }
> = {
  'ACKNOWLEDGE 1000': number(frameTypes.acknowledge, 0, 1000),
  'PING 7': number(frameTypes.ping, 0, 7),
  'PONG 7': number(frameTypes.pong, 0, 7),
  'LEFT carrier 2, 1000 bytes': ofCarrier(left, 1000),
  'SETTLED carrier 2, 970 bytes': ofCarrier(settled, 970),
  GOAWAY: { write: () => encodeFrame(frameTypes.goAway, 0) },
  'GOODBYE 7, bye': {
    write: () => encodeReset(goodbye, 0, end, 512),
    read: body => decodeReset(body, sessionLimits),
    said: end,
  },
  'OPEN 1, TCP a.example:443, only public, credit 262144': {
    write: () => encodeOpen(1, toAnExample, sessionLimits),
    read: body => decodeOpen(body, sessionLimits),
    said: toAnExample,
  },
  'OPEN 2, publication blog, credit 65536': {
    write: () => encodeOpen(2, aPublication, sessionLimits),
    read: body => decodeOpen(body, sessionLimits),
    said: aPublication,
  },
  'ACCEPT 1': { write: () => encodeFrame(frameTypes.accept, 1) },
  'DATA 1, offset 5, hi': {
    write: () => {
      const frame = new Uint8Array([...new Uint8Array(16), 0x68, 0x69]);
      writeDataHead(frame, 0, 1, 5, 2);
      return frame;
    },
  },
  'CREDIT 1, 524288': number(frameTypes.credit, 1, 524_288),
  'CREDIT 1, 2⁵³ − 1': number(frameTypes.credit, 1, Number.MAX_SAFE_INTEGER),
  'BLOCKED 1, 262144': number(frameTypes.blocked, 1, 262_144),
  'FINISH 1, 7': number(frameTypes.finish, 1, 7),
  'RESET 1, 3, no': {
    write: () => encodeReset(reset, 1, why, 512),
    read: body => decodeReset(body, sessionLimits),
    said: why,
  },
  'DATAGRAM 3, x': { write: () => encodeFrame(frameTypes.datagram, 3, new Uint8Array([0x78])) },
};

describe('the frames of docs/SESSION.md', () => {
  it('are all here, but those of the beginning of a carrier', () => {
    const ofBeginning = [...vectors.keys()].filter(name => /^(HELLO|WELCOME|REFUSED)/.test(name));
    expect(ofBeginning).toHaveLength(4);
    expect([...vectors.keys()].filter(name => !ofBeginning.includes(name)).sort()).toEqual(
      Object.keys(frames).sort(),
    );
  });

  it.each(Object.entries(frames))(
    '%s: is written and read as the page says',
    (name, { write, read, said }) => {
      const bytes = vectors.get(name) ?? new Uint8Array();
      expect(Buffer.from(write()).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
      const seen: unknown[] = [];
      const reader = new FrameReader(
        {
          onFrame: (type, tunnel, body) => void seen.push([type, tunnel, read?.(body)]),
          onData: (tunnel, offset, data) => void seen.push([frameTypes.data, tunnel, offset, ...data]),
        },
        sessionLimits,
      );
      reader.push(bytes);
      const [, , , type, , , , tunnel] = bytes;
      expect(seen).toEqual([name.startsWith('DATA ') ? [type, tunnel, 5, 0x68, 0x69] : [type, tunnel, said]]);
    },
  );

  it('have the numbers of the page', () => {
    const names = new Map(Object.entries(frameTypes).map(([name, type]) => [name.toUpperCase(), type]));
    const rows = [...page.matchAll(/^\| `([0-9a-f]{2})` \| ([A-Z]+) \|/gm)];
    expect(new Map(rows.map(([, type = '', name = '']) => [name, Number.parseInt(type, 16)]))).toEqual(names);
  });
});

function number(type: number, tunnel: number, value: number) {
  return { write: () => encodeNumber(type, tunnel, value), read: decodeNumber, said: value };
}

function ofCarrier(type: typeof left | typeof settled, received: number) {
  const said = { carrier: 2, received };
  return { write: () => encodeLeft(type, said), read: decodeLeft, said };
}
