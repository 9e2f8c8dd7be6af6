import { describe, expect, it } from 'vitest';
import { open, pair } from './support/pair.ts';
import { Talker, textOf } from './support/talker.ts';

describe('a tunnel that the gateway moves to another carrier', () => {
  it('is followed by the relay at once, also when nothing goes up', () => {
    const { world, connection } = pair({ text: textOf(1, 300_000), queueBytes: 5000 });
    const other = world.connect();
    const here = new Talker();
    const tunnel = open(world.gateway, here, { carrier: connection.atGateway });
    world.settle();
    for (let turn = 0; turn < 10; turn++) {
      world.deliver(connection, 'to relay');
      world.deliver(connection, 'to gateway', 1000);
    }
    world.gateway.move(tunnel, other.atGateway);
    world.settle();
    world.deliver(other, 'to relay');
    expect([...world.relay.tunnels.values()][0]?.carrier).toBe(other.atRelay);
    expect(other.toGateway.bytes).toBeGreaterThan(0);
    world.run();
    expect(here.received.equals(textOf(1, 300_000))).toBe(true);
  });

  it('loses nothing when it goes there and back while both are slow, in small pieces', () => {
    const { world, answers, connection } = pair({ limits: { windowBytes: 200_000 }, queueBytes: 3000 });
    const other = world.connect();
    const here = new Talker(textOf(1, 150_000), 37);
    const tunnel = open(world.gateway, here, { carrier: connection.atGateway });
    world.run();
    here.begin(tunnel);
    for (let turn = 0; turn < 400; turn++) {
      world.gateway.move(tunnel, turn % 2 === 0 ? other.atGateway : connection.atGateway);
      world.settle();
      // The one that it just went to is the faster one: what comes by it comes early.
      world.deliver(turn % 2 === 0 ? other : connection, 'to relay', 700);
    }
    world.run();
    expect(answers[0]?.received.equals(textOf(1, 150_000))).toBe(true);
  });

  it('stays while its opening may not have arrived', () => {
    const { world, connection } = pair();
    const other = world.connect();
    const tunnel = open(world.gateway, new Talker(), { carrier: connection.atGateway });
    world.gateway.move(tunnel, other.atGateway);
    expect(tunnel.carrier).toBe(connection.atGateway);
  });
});
