import { describe, expect, it } from 'vitest';
import { encodeLeft, encodeNumber, encodeOpen, writeDataHead } from '../src/frames.ts';
import { encodeFrame, frameTypes, SessionProtocolError } from '../src/index.ts';
import { sessionLimits } from '../src/limits.ts';
import { open, pair } from './support/pair.ts';
import { Talker, textOf } from './support/talker.ts';

const request = { kind: 'tcp', target: 'a:1', publicOnly: false, credit: 1000 } as const;
const opening = (tunnel: number) => encodeOpen(tunnel, request, sessionLimits);
const { credit, finish, accept, data } = frameTypes;

/** What a relay gets, after a tunnel 1 was opened by 3 bytes. Its window is 1000 bytes. */
const violations: Record<string, Uint8Array[]> = {
  'a HELLO in its midst': [encodeFrame(frameTypes.hello, 0, textOf(1, 90))],
  'a frame of a type that there is not': [encodeFrame(0x7f, 0)],
  'the same for a tunnel': [encodeFrame(0x7f, 1)],
  'a type of tunnels for no tunnel': [encodeNumber(credit, 0, 5)],
  'a type of the session for a tunnel': [encodeNumber(frameTypes.ping, 1, 5)],
  'an opening with a number of the relay': [opening(2)],
  'an opening without a target': [encodeFrame(frameTypes.open, 3, textOf(1, 3))],
  'an opening of no known kind': [encodeFrame(frameTypes.open, 3, Uint8Array.of(9, 0, 0, 0, 0, 0))],
  'an opening with a long target': [
    encodeFrame(frameTypes.open, 3, Buffer.from(`010000000000${'61'.repeat(1025)}`, 'hex')),
  ],
  'data for a tunnel that was never opened': [bytes(5, 0, 1)],
  'credit for one of the relay that was never opened': [encodeNumber(credit, 2, 1)],
  'more data than is allowed': [bytes(1, 990, 11)],
  'data after the end': [encodeNumber(finish, 1, 3), bytes(1, 3, 1)],
  'an end before the last byte': [encodeNumber(finish, 1, 2)],
  'an end before the last byte that came early': [bytes(1, 10, 5), encodeNumber(finish, 1, 12)],
  'an end beyond what is allowed': [encodeNumber(finish, 1, 1001)],
  'two ends': [encodeNumber(finish, 1, 10), encodeNumber(finish, 1, 11)],
  'a number of 7 bytes': [encodeFrame(credit, 1, textOf(1, 7))],
  'a number beyond 53 bits': [encodeFrame(credit, 1, Buffer.alloc(8, 0x20))],
  'an acknowledgement of what was never sent': [encodeNumber(frameTypes.acknowledge, 0, 1_000_000)],
  'that the carrier is left that it comes by': [encodeLeft(frameTypes.left, { carrier: 1, received: 0 })],
  'that a carrier is settled that was not left': [
    encodeLeft(frameTypes.settled, { carrier: 2, received: 0 }),
  ],
  'that more arrived on a carrier that was left than was sent': [
    encodeLeft(frameTypes.left, { carrier: 2, received: 1_000_000 }),
  ],
  'too many stretches': Array.from({ length: 65 }, (_, stretch) => bytes(1, 10 + 2 * stretch, 1)),
};

describe('who says what docs/SESSION.md does not allow', () => {
  it.each(Object.entries(violations))('%s, ends the session, and is told', (_, frames) => {
    const reasons: string[] = [];
    const { world, connection } = pair({
      limits: { windowBytes: 1000, earlyStretches: 64 },
      relay: { onOver: ({ message }) => void reasons.push(message) },
    });
    world.connect();
    const here = new Talker();
    open(world.gateway, here, { carrier: connection.atGateway }).write(textOf(1, 3));
    world.run();
    const { atRelay } = connection;
    const all = frames.slice(0, -1);
    for (const frame of all) world.relay.receive(atRelay, frame);
    expect(() => world.relay.receive(atRelay, frames.at(-1) ?? new Uint8Array())).toThrow(
      SessionProtocolError,
    );
    expect([world.relay.isOver, reasons.length, world.relay.heldBytes]).toEqual([true, 1, 0]);
    world.run();
    expect(here.reset?.message).toContain('does not speak the session protocol');
    expect([world.gateway.isOver, world.gateway.heldBytes]).toEqual([true, 0]);
  });

  it('cannot do it by what a later version may say', () => {
    const { world, connection } = pair();
    world.relay.receive(connection.atRelay, encodeFrame(0x80, 0, textOf(1, 100)));
    world.relay.receive(connection.atRelay, encodeFrame(0xff, 77, textOf(1, 100)));
    expect(world.relay.isOver).toBe(false);
  });
});

describe('an end that asks much and reads nothing', () => {
  it('gets one answer to all its pings while nothing more is taken', () => {
    const { world, connection } = pair({ queueBytes: 1000 });
    const ping = encodeNumber(frameTypes.ping, 0, 7);
    for (let pings = 0; pings < 10_000; pings++) {
      world.relay.receive(connection.atRelay, new Uint8Array(ping));
      world.settle();
    }
    expect(connection.toGateway.bytes).toBeLessThan(2000);
    expect(world.relay.heldBytes).toBe(0);
  });
});

describe('data that comes before it is said that its target is there', () => {
  it('says it', () => {
    const { world, connection } = pair({ relay: { onOpen() {} } });
    const here = new Talker();
    open(world.gateway, here);
    world.run();
    world.gateway.receive(connection.atGateway, bytes(1, 0, 4));
    expect([here.isAccepted, here.wasToldMore, here.received.length]).toEqual([true, false, 4]);
    world.gateway.receive(connection.atGateway, encodeFrame(accept, 1));
    expect(world.gateway.isOver).toBe(false);
  });
});

function bytes(tunnel: number, offset: number, length: number): Uint8Array {
  const frame = new Uint8Array(16 + length);
  writeDataHead(frame, 0, tunnel, offset, length);
  expect(frame[3]).toBe(data);
  return frame;
}
