import { describe, expect, it } from 'vitest';
import { open, pair } from './support/pair.ts';
import { Talker, textOf } from './support/talker.ts';

const limits = { windowBytes: 1_000_000, unacknowledgedBytes: 100_000, dataBytes: 5000 };

describe('a session that keeps as much as it may', () => {
  it('takes nothing more from senders, and lets all go on once it is acknowledged', () => {
    const { world, connection } = pair({ limits, queueBytes: 10_000_000 });
    const talkers = Array.from({ length: 5 }, (_, seed) => new Talker(textOf(seed, 200_000)));
    for (const talker of talkers) talker.begin(open(world.gateway, talker));
    world.settle();
    expect(world.gateway.heldBytes).toBeGreaterThan(95_000);
    expect(world.gateway.heldBytes).toBeLessThan(110_000);
    world.cut(connection);
    world.notice();
    world.connect();
    world.run();
    expect(talkers.map(({ tunnel }) => tunnel?.bytesOut)).toEqual(talkers.map(() => 200_000));
    expect(talkers.map(({ written, released }) => written - released)).toEqual(talkers.map(() => 0));
  });

  it('wakes senders on other carriers when the loss of one makes room', () => {
    const { world, answers, connection } = pair({ limits, queueBytes: 10_000_000 });
    const first = new Talker(textOf(1, 90_000));
    first.begin(open(world.gateway, first));
    world.settle();
    while (world.deliver(connection, 'to relay'));
    // All of it came; what says so is lost.
    const other = world.connect();
    const second = new Talker(textOf(2, 90_000));
    second.begin(open(world.gateway, second, { carrier: other.atGateway }));
    world.settle();
    expect(second.tunnel?.bytesOut).toBeLessThan(90_000);
    world.cut(connection);
    world.gateway.leave(connection.atGateway);
    world.run();
    expect(answers.map(({ received }) => received.length)).toEqual([90_000, 90_000]);
  });

  it('ends when the other end acknowledges nothing whatever it gets', () => {
    const reasons: string[] = [];
    const { world, connection } = pair({
      limits,
      gateway: { onOver: ({ message }) => void reasons.push(message) },
    });
    while (reasons.length === 0) {
      const user = new Talker();
      open(world.gateway, user);
      user.breakOff();
      world.settle();
      world.deliver(connection, 'to relay');
    }
    expect(reasons[0]).toContain('acknowledges nothing');
    expect([world.gateway.heldBytes, world.gateway.tunnels.size]).toEqual([0, 0]);
  });
});

describe('memory that was written from', () => {
  it('is let go of when all its parts have arrived, in whichever order they do', () => {
    const { world, answers, connection } = pair({ limits });
    const other = world.connect();
    const user = new Talker();
    const tunnel = open(world.gateway, user, { carrier: connection.atGateway });
    world.run();
    const memory = new Uint8Array(16 + 8000);
    memory.set(textOf(1, 8000), 16);
    let released = 0;
    tunnel.write(memory.subarray(16, 16 + 5000), true, () => {});
    world.gateway.flush();
    tunnel.write(memory.subarray(16 + 5000), false, () => {});
    // One writing that becomes two frames; the first is lost, the second arrives.
    const long = new Uint8Array(16 + 10_000);
    long.set(textOf(2, 10_000), 16);
    tunnel.write(long.subarray(16), true, () => {
      released += 1;
      long.fill(0);
    });
    world.settle();
    world.cut(connection);
    world.gateway.leave(connection.atGateway);
    world.settle();
    expect(released).toBe(0);
    world.run();
    expect(released).toBe(1);
    expect(answers[0]?.received.equals(Buffer.concat([textOf(1, 8000), textOf(2, 10_000)]))).toBe(true);
    expect(other.atGateway.state).toBe('open');
  });

  it('is let go of at once when nothing is sent of it', () => {
    const { world } = pair({ limits });
    const user = new Talker();
    const tunnel = open(world.gateway, user);
    let released = 0;
    const release = (): void => {
      released += 1;
    };
    tunnel.write(new Uint8Array(), false, release);
    tunnel.reset({ code: 1, message: '' });
    tunnel.write(textOf(1, 10), false, release);
    expect(released).toBe(2);
    world.run();
    expect(world.relay.isOver).toBe(false);
  });
});
