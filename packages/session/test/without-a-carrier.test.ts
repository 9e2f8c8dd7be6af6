import { describe, expect, it } from 'vitest';
import { open, pair } from './support/pair.ts';
import { Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

const hour = 3_600_000;

describe('a session without a carrier', () => {
  it('waits for hours, and goes on at the exact byte', () => {
    const { world, answers, connection } = pair({ text: textOf(2, 400_000) });
    const here = new Talker(textOf(1, 400_000));
    here.begin(open(world.gateway, here));
    for (let turn = 0; turn < 20; turn++) world.deliver(connection, 'to gateway', 3000);
    for (let turn = 0; turn < 20; turn++) world.deliver(connection, 'to relay', 3000);
    world.cut(connection);
    world.gateway.leave(connection.atGateway);
    world.relay.leave(connection.atRelay);
    const since = world.clock.now();
    world.clock.advance(10 * hour);
    world.settle();
    expect([world.gateway.aloneSince, here.tunnel?.isWaiting]).toEqual([since, true]);
    expect(world.clock.pending).toBe(0);
    world.connect();
    world.run();
    expect(world.gateway.aloneSince).toBeUndefined();
    expect(here.received.equals(textOf(2, 400_000))).toBe(true);
    expect(answers[0]?.received.equals(textOf(1, 400_000))).toBe(true);
  });

  it('takes tunnels, and what is written to them once, and sends both as soon as one comes', () => {
    const answers: Talker[] = [];
    const world = new Simulation({
      relay: {
        onOpen: tunnel => {
          const there = new Talker();
          there.tunnel = tunnel;
          answers.push(there);
          tunnel.user = there;
          tunnel.accept();
        },
      },
    });
    const here = new Talker(textOf(1, 5000));
    here.begin(open(world.gateway, here));
    expect(here.written).toBe(1);
    world.clock.advance(hour);
    world.connect();
    world.run();
    expect(answers[0]?.received.equals(textOf(1, 5000))).toBe(true);
  });

  it('keeps nothing of tunnels that come and go meanwhile, nor loses their numbers', () => {
    const world = new Simulation({ limits: { tunnelsAhead: 100 } });
    const kept = new Talker();
    open(world.gateway, kept);
    for (let tunnels = 0; tunnels < 10_000; tunnels++) {
      const user = new Talker();
      open(world.gateway, user).write(textOf(1, 100));
      user.breakOff();
    }
    expect([world.gateway.heldBytes, world.gateway.tunnels.size]).toEqual([0, 1]);
    const { toRelay } = world.connect();
    world.settle();
    expect(toRelay.sentBytes).toBeLessThan(100);
    for (let tunnels = 0; tunnels < 300; tunnels++) open(world.gateway, new Talker());
    world.run();
    expect([world.relay.tunnels.size, world.relay.isOver]).toEqual([301, false]);
  });
});
