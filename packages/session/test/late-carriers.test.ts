import { describe, expect, it } from 'vitest';
import { type SessionLimits, SessionProtocolError } from '../src/index.ts';
import { Pipe, Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

describe('a carrier that the gateway gave up', () => {
  it('is not taken by the relay when it comes after that was told', () => {
    const world = new Simulation();
    world.connect();
    world.gateway.giveUp(7);
    world.run();
    expect(() => world.relay.attach(7, new Pipe(1000))).toThrow(SessionProtocolError);
    expect(world.relay.isOver).toBe(false);
  });

  it('is left by the relay when it had come before, with what was sent on it', () => {
    const { world, here, there } = talk();
    world.connectInVain();
    world.settle();
    world.connect();
    world.run();
    expect([here.received.equals(there.text), there.received.equals(here.text)]).toEqual([true, true]);
    expect(world.relay.carriers).toHaveLength(1);
  });

  it('keeps no other one out, however many there were while nothing went through', () => {
    const { world, here, there } = talk();
    for (let tries = 0; tries < 3000; tries++) {
      if (tries % 3 === 0) world.connectInVain();
      else world.connectLate();
    }
    expect(world.relay.carriers.length).toBeLessThanOrEqual(64);
    world.connect();
    world.run();
    expect([here.received.equals(there.text), there.received.equals(here.text)]).toEqual([true, true]);
    for (let late = 0; late < 3000; late++) world.arriveLate();
    world.run();
    expect(world.relay.carriers.length).toBeLessThanOrEqual(64);
    expect([world.gateway.heldBytes, world.relay.tunnels.size]).toEqual([0, 0]);
  });
});

describe('carriers', () => {
  it('are left by both ends at once, and settled', () => {
    const { world, here, there } = talk();
    const [first, second] = [world.connect(), world.connect()];
    world.settle();
    world.deliver(first, 'to relay', 1000);
    world.gateway.leave(first.atGateway);
    world.relay.leave(first.atRelay);
    world.cut(first);
    world.run();
    expect([here.received.equals(there.text), there.received.equals(here.text)]).toEqual([true, true]);
    expect([first.atGateway.state, first.atRelay.state]).toEqual(['settled', 'settled']);
    expect([second.atGateway.state, second.atRelay.state]).toEqual(['open', 'open']);
  });

  it('have each a number of its own', () => {
    const world = new Simulation();
    const { atGateway } = world.connect();
    expect(() => world.gateway.attach(atGateway.id, new Pipe(1000))).toThrow(SessionProtocolError);
    expect(world.gateway.isOver).toBe(false);
  });

  it('take what was kept no faster than they send it', () => {
    const { world, here, there } = talk(1_000_000, { dataBytes: 5000, windowBytes: 1_000_000 });
    const first = world.connect();
    // All of it leaves, and nothing comes.
    world.cut(first);
    world.gateway.drained(first.atGateway);
    world.settle();
    expect(world.gateway.heldBytes).toBeGreaterThan(1_000_000);
    world.gateway.leave(first.atGateway);
    const second = world.connect();
    world.settle();
    let most = 0;
    while (world.deliver(second, 'to relay', 5000) || world.deliver(second, 'to gateway', 5000)) {
      most = Math.max(most, second.toRelay.bytes);
    }
    world.run();
    expect(most).toBeLessThan(20_000 + 2 * 5000);
    expect(second.toRelay.sentBytes).toBeGreaterThan(500_000);
    expect([here.received.equals(there.text), there.received.equals(here.text)]).toEqual([true, true]);
  });
});

class Saying extends Talker {
  readonly text: Uint8Array;

  constructor(text: Uint8Array) {
    super(text);
    this.text = text;
  }
}

function talk(bytes = 5000, limits: Partial<SessionLimits> = {}) {
  const there = new Saying(textOf(2, 7000));
  const here = new Saying(textOf(1, bytes));
  const world = new Simulation({
    limits,
    relay: {
      onOpen: tunnel => {
        tunnel.user = there;
        tunnel.accept();
        there.begin(tunnel);
      },
    },
  });
  here.begin(world.gateway.open({ request: { kind: 'tcp', target: 'a:1', publicOnly: false }, user: here }));
  return { world, here, there };
}
