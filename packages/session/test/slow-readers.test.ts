import { describe, expect, it } from 'vitest';
import { resetCodes } from '../src/index.ts';
import { open, pair } from './support/pair.ts';
import { Talker, textOf } from './support/talker.ts';

const limits = {
  windowBytes: 10_000,
  widestWindowBytes: 80_000,
  unreadBytes: 50_000,
  mostUnreadBytes: 150_000,
  acknowledgeBytes: 5000,
};

describe('a reader that stops', () => {
  it('stops its sender, and gets all once it reads again', () => {
    const { world } = pair({ limits, text: textOf(1, 300_000) });
    const here = new Talker();
    here.isEager = false;
    open(world.gateway, here);
    world.run();
    expect(here.received.length).toBe(10_000);
    for (let reads = 0; reads < 1000; reads++) {
      here.take(1000);
      world.run();
    }
    expect(here.received.equals(textOf(1, 300_000))).toBe(true);
    expect(here.isFinished).toBe(true);
  });

  it('holds up no other tunnel, though many of them hold all that readers of a session may leave', () => {
    const { world, answers } = pair({ limits, text: textOf(1, 300_000) });
    const slow = Array.from({ length: 8 }, () => new Talker());
    for (const reader of slow) {
      reader.isEager = false;
      open(world.gateway, reader);
    }
    world.run();
    expect(world.gateway.heldBytes).toBeGreaterThan(limits.unreadBytes);
    const eager = new Talker();
    open(world.gateway, eager);
    world.run();
    expect(eager.received.equals(textOf(1, 300_000))).toBe(true);
    for (let reads = 0; reads < 100; reads++) {
      for (const reader of slow) reader.take();
      world.run();
    }
    expect(slow.every(({ received }) => received.equals(textOf(1, 300_000)))).toBe(true);
    expect(answers.every(({ released, written }) => released === written)).toBe(true);
  });

  it('is done without when those of a session hold more than can be kept, and the rest go on', () => {
    const { world, answers } = pair({ limits, text: textOf(1, 30_000) });
    const slow = Array.from({ length: 30 }, () => new Talker());
    for (const reader of slow) {
      reader.isEager = false;
      open(world.gateway, reader);
      world.run();
      expect(world.gateway.heldBytes).toBeLessThanOrEqual(limits.mostUnreadBytes + limits.windowBytes);
    }
    const broken = slow.filter(({ reset }) => reset?.code === resetCodes.slow);
    expect(broken.length).toBeGreaterThan(10);
    expect(answers.filter(({ reset }) => reset?.code === resetCodes.slow)).toHaveLength(broken.length);
    for (let reads = 0; reads < 10; reads++) {
      for (const reader of slow) reader.take();
      world.run();
    }
    const whole = slow.filter(({ received }) => received.length === 30_000);
    expect(whole.length + broken.length).toBe(30);
    expect(world.gateway.heldBytes).toBe(0);
  });
});

describe('the window of a tunnel', () => {
  it('grows for a reader that keeps up, up to its limit', () => {
    expect(mostOnTheWay({ isEager: true })).toBeGreaterThan(40_000);
    expect(mostOnTheWay({ isEager: true })).toBeLessThanOrEqual(80_000);
  });

  it('does not grow for one that does not', () => {
    expect(mostOnTheWay({ isEager: false })).toBeLessThanOrEqual(10_000);
  });

  it('does not grow beyond what whoever opened it wants', () => {
    expect(mostOnTheWay({ isEager: true, windowBytes: 15_000 })).toBeLessThanOrEqual(15_000);
  });

  it('may be smaller until the first bytes were taken', () => {
    const { world } = pair({ limits, text: textOf(1, 50_000) });
    const here = new Talker();
    here.isEager = false;
    open(world.gateway, here, { windowBytes: 10_000, firstWindowBytes: 1000 });
    world.run();
    expect(here.received.length).toBe(1000);
    here.take();
    world.run();
    expect(here.received.length).toBe(11_000);
  });
});

/** How much of a long text is at most sent and not taken, over a way of some length. */
function mostOnTheWay({ isEager, windowBytes }: { isEager: boolean; windowBytes?: number }): number {
  const { world, connection } = pair({ limits, text: textOf(1, 2_000_000), queueBytes: 1_000_000 });
  const here = new Talker();
  here.isEager = isEager;
  open(world.gateway, here, { windowBytes });
  let most = 0;
  for (let turn = 0; turn < 200; turn++) {
    while (world.deliver(connection, 'to relay'));
    const [sent] = [...world.relay.tunnels.values()];
    most = Math.max(most, (sent?.bytesOut ?? 0) - here.received.length);
    while (world.deliver(connection, 'to gateway'));
    world.clock.advance(10);
    world.settle();
  }
  return most;
}
