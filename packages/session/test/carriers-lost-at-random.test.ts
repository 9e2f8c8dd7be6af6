import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tunnel } from '../src/index.ts';
import { type Connection, Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

const at = fc.nat(5);
const byRelay = fc.boolean();
const opening = fc.record({
  do: fc.constant('open' as const),
  byRelay,
  size: fc.nat(30_000),
  isEager: fc.boolean(),
});
const connecting = fc.constantFrom('connect' as const, 'connect in vain' as const, 'connect late' as const);
const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      at,
      up: fc.boolean(),
      bytes: fc.integer({ min: 1, max: 4000 }),
    }),
  },
  { weight: 3, arbitrary: opening },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      tunnel: fc.nat(9),
      byRelay,
      bytes: fc.nat(5000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), tunnel: fc.nat(9), byRelay }) },
  { weight: 2, arbitrary: fc.record({ do: connecting }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('arrive late' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('cut' as const),
      at,
      told: fc.constantFrom('gateway', 'relay', 'both', 'nobody'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), at, byRelay }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), at, tunnel: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(200) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const limits = fc.record({
  windowBytes: fc.constantFrom(700, 3000),
  widestWindowBytes: fc.constant(12_000),
  dataBytes: fc.constantFrom(500, 5000),
  acknowledgeBytes: fc.constantFrom(500, 2000),
  unacknowledgedBytes: fc.constantFrom(60_000, 300_000),
  unreadBytes: fc.constantFrom(2000, 50_000),
  carriers: fc.constantFrom(3, 64),
});
type Limits = typeof limits extends fc.Arbitrary<infer T> ? T : never;

/** Both ends of one tunnel. */
interface Talk {
  readonly here: Talker;
  there: Talker | undefined;
  readonly texts: readonly [Uint8Array, Uint8Array];
  wasReset: boolean;
}

/** What happens to a session, and what is to be true of it after. */
class Story {
  readonly talks: Talk[] = [];
  /** Why sessions ended. */
  readonly ends: string[] = [];
  readonly world: Simulation;

  constructor(given: Limits) {
    const answer = {
      onOpen: (tunnel: Tunnel) => this.#answer(tunnel),
      onOver: (reason: Error) => void this.ends.push(reason.message),
    };
    this.world = new Simulation({ gateway: answer, relay: answer, limits: given, queueBytes: 3000 });
  }

  take(one: Step): void {
    const { world } = this;
    const connection = 'at' in one ? pick(world.connections, one.at) : undefined;
    if (one.do === 'open') this.#open(one);
    if (one.do === 'take') this.#end(one)?.take(one.bytes);
    if (one.do === 'reset') this.#reset(one);
    if (one.do === 'connect') world.connect();
    if (one.do === 'connect in vain') world.connectInVain();
    if (one.do === 'connect late') world.connectLate();
    if (one.do === 'arrive late') world.arriveLate();
    if (one.do === 'wait') world.clock.advance(one.ms);
    if (connection !== undefined) this.#takeOn(connection, one);
    world.settle();
  }

  /** All readers take what there is, and a new carrier comes. */
  finish(): void {
    const { world } = this;
    for (const { here, there } of this.talks) {
      for (const talker of [here, there]) {
        if (talker === undefined) continue;
        talker.isEager = true;
        talker.take();
      }
    }
    world.connect();
    world.notice();
    world.run();
    world.notice();
    world.run();
  }

  #takeOn(connection: Connection, one: Step): void {
    const { world } = this;
    if (one.do === 'deliver') world.deliver(connection, one.up ? 'to relay' : 'to gateway', one.bytes);
    if (one.do === 'cut') {
      world.cut(connection);
      if (one.told === 'gateway' || one.told === 'both') world.gateway.leave(connection.atGateway);
      if (one.told === 'relay' || one.told === 'both') world.relay.leave(connection.atRelay);
    }
    if (one.do === 'leave') {
      if (one.byRelay) world.relay.leave(connection.atRelay);
      else world.gateway.leave(connection.atGateway);
    }
    if (one.do === 'move') {
      const tunnel = pick([...world.gateway.tunnels.values()], one.tunnel);
      if (tunnel !== undefined) world.gateway.move(tunnel, connection.atGateway);
    }
  }

  #open({ byRelay: isByRelay, size, isEager }: { byRelay: boolean; size: number; isEager: boolean }): void {
    const number = this.talks.length;
    const texts = [textOf(number, size), textOf(number + 1000, (size * 7) % 20_000)] as const;
    const here = new Talker(texts[0]);
    here.isEager = isEager;
    this.talks.push({ here, there: undefined, texts, wasReset: false });
    const end = isByRelay ? this.world.relay : this.world.gateway;
    here.begin(end.open({ request: { kind: 'tcp', target: `${number}`, publicOnly: false }, user: here }));
  }

  #answer(tunnel: Tunnel): void {
    const talk = this.talks[Number(tunnel.request.target)];
    if (talk === undefined) throw new Error('nobody opened it');
    if (talk.there !== undefined) throw new Error('it is opened twice');
    const there = new Talker(talk.texts[1]);
    there.isEager = talk.here.isEager;
    talk.there = there;
    tunnel.user = there;
    tunnel.accept();
    there.begin(tunnel);
  }

  #end({ tunnel, byRelay: isThere }: { tunnel: number; byRelay: boolean }): Talker | undefined {
    const talk = pick(this.talks, tunnel);
    return isThere ? talk?.there : talk?.here;
  }

  #reset(one: { tunnel: number; byRelay: boolean }): void {
    const talk = pick(this.talks, one.tunnel);
    const talker = this.#end(one);
    if (talk === undefined || talker === undefined || talker.tunnel?.state === 'closed') return;
    talk.wasReset = true;
    talker.breakOff();
  }
}

describe('tunnels whose carriers are lost at any moment', () => {
  it('deliver every byte once and in its order, both ways, with its end', () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 150, size: 'max' }), (given, steps) => {
        const story = new Story(given);
        for (const one of steps) story.take(one);
        story.finish();
        expect(story.ends).toEqual([]);
        for (const talk of story.talks) expectAllToBeSaid(talk);
        const { gateway, relay } = story.world;
        expect([gateway.tunnels.size, relay.tunnels.size]).toEqual([0, 0]);
        expect([gateway.heldBytes, relay.heldBytes]).toEqual([0, 0]);
      }),
      // Shrinking takes minutes: the seed and the path tell enough.
      { endOnFailure: true, numRuns: Number(process.env.MANYPATH_SESSION_RUNS ?? 300) },
    );
  });
});

function expectAllToBeSaid({ here, there, texts, wasReset }: Talk): void {
  for (const talker of [here, there]) {
    if (talker === undefined) continue;
    const text = texts[talker === here ? 1 : 0];
    expect(talker.received.equals(wasReset ? text.subarray(0, talker.received.length) : text)).toBe(true);
    expect(talker.released).toBe(talker.written);
    expect([talker.isOver, talker.wasToldMore]).toEqual([true, false]);
    if (!wasReset) expect(talker.reset).toBeUndefined();
  }
  if (!wasReset) expect([here.isAccepted, there !== undefined]).toEqual([true, true]);
}

function pick<T>(all: readonly T[], index: number): T | undefined {
  return all[index % Math.max(1, all.length)];
}
