import { SimulatedClock } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  frameTypes,
  Session,
  type SessionEnd,
  SessionProtocolError,
  type Tunnel,
} from '../src/index.ts';
import { Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

/** How long each kind of input is tried, in milliseconds. More by MANYPATH_FUZZ_MS. */
const budgetMs = Number(process.env.MANYPATH_FUZZ_MS ?? 2000);

const limits = {
  tunnels: 50,
  windowBytes: 5000,
  widestWindowBytes: 20_000,
  unreadBytes: 20_000,
  mostUnreadBytes: 60_000,
  unacknowledgedBytes: 50_000,
};
/** What a session may hold with these, whatever comes. */
const mostHeld = limits.mostUnreadBytes + 2 * limits.unacknowledgedBytes + 300_000;

describe('whatever comes on carriers', () => {
  it('as random bytes, is refused as such, and holds no memory', () => {
    const bytes = fc.uint8Array({ maxLength: 200, size: 'max' });
    tryOut(fc.tuple(bytes, bytes), chunks => chunks);
  });

  it('as random frames, is refused as such or taken, and holds no memory', () => {
    const type = fc.oneof(fc.constantFrom(...Object.values(frameTypes)), fc.nat(255));
    const small = fc.oneof(fc.nat(6), fc.nat(0xffff_ffff));
    const offset = fc.oneof(fc.nat(6000), fc.maxSafeNat()).map(value => {
      const body = Buffer.alloc(9, 0x61);
      body.writeBigUInt64BE(BigInt(value));
      return body;
    });
    const body = fc.oneof(
      offset,
      offset.map(bytes => bytes.subarray(0, 8)),
      fc
        .tuple(small, offset)
        .map(([carrier, count]) => Buffer.concat([number(carrier), count.subarray(0, 8)])),
      fc.uint8Array({ maxLength: 40 }),
      small.map(credit => Buffer.concat([Buffer.of(1, 0), number(credit), Buffer.from('a:1')])),
    );
    const frame = fc
      .tuple(type, small, body)
      .map(([kind, tunnel, bytes]) => encodeFrame(kind, tunnel, bytes));
    const opening = encodeFrame(frameTypes.open, 1, Buffer.from('010000004000613a31', 'hex'));
    const frames = fc.array(frame, { maxLength: 30, size: 'max' });
    tryOut(frames, list => [opening, ...list]);
  });

  it('as real traffic in which bytes were changed, is refused as such or taken, and holds no memory', () => {
    const traffic = realTraffic();
    const change = fc.record({ at: fc.nat(traffic.length - 1), to: fc.nat(255), away: fc.nat(3) });
    tryOut(fc.array(change, { minLength: 1, maxLength: 5 }), changes => {
      const changed = [...traffic];
      for (const { at, to, away } of changes) changed.splice(at, away, to);
      return pieces(Uint8Array.from(changed));
    });
  });
});

/** Gives to both kinds of ends what is made of random things, until the time is over. */
function tryOut<T>(things: fc.Arbitrary<T>, chunksOf: (thing: T) => readonly Uint8Array[]): void {
  const until = performance.now() + budgetMs;
  let tries = 0;
  fc.assert(
    fc.property(things, fc.constantFrom('gateway' as const, 'relay' as const), (thing, end) => {
      tries += 1;
      feed(end, chunksOf(thing));
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: until - performance.now() },
  );
  expect(tries).toBeGreaterThan(100);
}

function feed(end: SessionEnd, chunks: readonly Uint8Array[]): void {
  const clock = new SimulatedClock();
  const deferred: (() => void)[] = [];
  const onOpen = (tunnel: Tunnel): void => {
    const user = new Talker(textOf(1, 2000));
    user.isEager = tunnel.id % 4 < 2;
    tunnel.user = user;
    tunnel.accept();
    user.begin(tunnel);
  };
  const session = new Session({
    end,
    clock,
    defer: callback => void deferred.push(callback),
    events: { onOpen, onLeft() {} },
    limits,
  });
  const sink = { send() {}, isFull: false };
  const carriers = [session.attach(1, sink), session.attach(2, sink)];
  const ours = new Talker(textOf(2, 3000));
  ours.begin(session.open({ request: { kind: 'tcp', target: 'a:1', publicOnly: false }, user: ours }));
  for (const [index, chunk] of chunks.entries()) {
    const carrier = carriers[index % 4 === 3 ? 1 : 0];
    if (carrier === undefined) throw new Error('there are two');
    try {
      session.receive(carrier, chunk);
    } catch (error) {
      if (!(error instanceof SessionProtocolError)) throw error;
    }
    for (const callback of deferred.splice(0)) callback();
    if (session.heldBytes > mostHeld) throw new Error(`${session.heldBytes} bytes are held`);
    if (session.heldBytes < 0) throw new Error('less than nothing is held');
  }
  clock.advance(1000);
  session.close(new Error('that is all'));
  if (session.heldBytes !== 0) throw new Error('something is held after the end');
}

/** What a gateway sends in a conversation over two carriers. */
function realTraffic(): Uint8Array {
  const chunks: Uint8Array[] = [];
  const world = new Simulation({
    relay: {
      onOpen: tunnel => {
        const user = new Talker(textOf(1, 500));
        tunnel.user = user;
        tunnel.accept();
        user.begin(tunnel);
      },
    },
  });
  const [first, second] = [world.connect(), world.connect()];
  for (const connection of [first, second]) {
    const { toRelay } = connection;
    const take = toRelay.take.bind(toRelay);
    toRelay.take = most => {
      const chunk = take(most);
      if (chunk !== undefined) chunks.push(chunk.slice());
      return chunk;
    };
  }
  for (const seed of [3, 4, 5]) {
    const user = new Talker(textOf(seed, 800), 300);
    user.begin(world.gateway.open({ request: { kind: 'tcp', target: 'a:1', publicOnly: true }, user }));
  }
  world.gateway.ping(first.atGateway, 1);
  world.gateway.sendDatagram(9, textOf(6, 50));
  world.run();
  world.gateway.leave(second.atGateway);
  world.run();
  return Buffer.concat(chunks);
}

function pieces(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / 150) }, (_, piece) =>
    bytes.slice(piece * 150, piece * 150 + 150),
  );
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
