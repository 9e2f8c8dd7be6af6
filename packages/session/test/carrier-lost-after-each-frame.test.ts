import { describe, expect, it } from 'vitest';
import { type Connection, type Direction, Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

const question = textOf(1, 2500);
const answer = textOf(2, 4000);

/** A conversation that opens, asks, answers and ends, over one carrier at first. */
function conversation() {
  const there = new Talker(answer);
  const world = new Simulation({
    relay: {
      onOpen: tunnel => {
        tunnel.user = there;
        tunnel.accept();
        there.begin(tunnel);
      },
    },
    limits: { windowBytes: 1500, dataBytes: 900, acknowledgeBytes: 1000 },
  });
  const connection = world.connect();
  const here = new Talker(question);
  here.begin(world.gateway.open({ request: { kind: 'tcp', target: 'a:1', publicOnly: false }, user: here }));
  world.settle();
  return { world, connection, here, there };
}

/** Lets up to so many bytes arrive, a little at a time and both ways. @returns Whether there were so many. */
function deliver(world: Simulation, connection: Connection, bytes: number): boolean {
  let left = bytes;
  for (let idle = 0; left > 0 && idle < 4; ) {
    const directions: Direction[] = ['to relay', 'to gateway'];
    const moved = directions.filter(direction => {
      const some = Math.min(left, 97);
      const did = some > 0 && world.deliver(connection, direction, some);
      if (did) left -= some;
      return did;
    });
    if (moved.length === 0) world.clock.advance(50);
    idle = moved.length === 0 ? idle + 1 : 0;
  }
  return left === 0;
}

const tellers = ['the gateway', 'the relay', 'both'] as const;

describe('a carrier that is lost after any byte of a conversation', () => {
  it.each(tellers)('changes nothing in what is said, when %s notices first', teller => {
    let bytes = 0;
    for (; ; bytes += 97) {
      const { world, connection, here, there } = conversation();
      const isMore = deliver(world, connection, bytes);
      world.cut(connection);
      if (teller !== 'the relay') world.gateway.leave(connection.atGateway);
      if (teller !== 'the gateway') world.relay.leave(connection.atRelay);
      world.clock.advance(1000);
      world.connect();
      world.notice();
      world.run();
      expect([here.isFinished, there.isFinished, here.reset, there.reset]).toEqual([
        true,
        true,
        undefined,
        undefined,
      ]);
      expect([here.received.equals(answer), there.received.equals(question)]).toEqual([true, true]);
      expect([world.gateway.heldBytes, world.relay.heldBytes]).toEqual([0, 0]);
      if (!isMore) break;
    }
    expect(bytes).toBeGreaterThan(question.length + answer.length);
  });

  it('changes nothing either when the next ones are lost as soon as they come', () => {
    const { world, connection, here, there } = conversation();
    deliver(world, connection, 1000);
    let last = connection;
    for (let lost = 0; lost < 100; lost++) {
      world.cut(last);
      world.gateway.leave(last.atGateway);
      last = world.connect();
      world.settle();
      if (lost % 3 === 0) world.deliver(last, 'to relay', 30);
      if (lost % 5 === 0) world.deliver(last, 'to gateway', 50);
    }
    world.notice();
    world.run();
    expect([here.received.equals(answer), there.received.equals(question)]).toEqual([true, true]);
    expect([world.gateway.heldBytes, world.relay.heldBytes]).toEqual([0, 0]);
  });
});
