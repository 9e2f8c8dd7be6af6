import { describe, expect, it } from 'vitest';
import {
  resetCodes,
  SessionFullError,
  SessionOverError,
  type Tunnel,
  TunnelTargetError,
} from '../src/index.ts';
import { open, pair } from './support/pair.ts';
import { Simulation } from './support/simulation.ts';
import { Talker, textOf } from './support/talker.ts';

describe('one direction of a tunnel that has ended', () => {
  it('leaves the other one open, for as long as it likes', () => {
    const { world, answers } = pair();
    const here = new Talker(textOf(1, 5000));
    here.begin(open(world.gateway, here));
    world.run();
    const [there] = answers;
    expect([there?.isFinished, here.isFinished, here.tunnel?.state]).toEqual([true, false, 'half-closed']);
    world.clock.advance(3_600_000);
    there?.tunnel?.write(textOf(2, 3000));
    world.run();
    expect(here.received.equals(textOf(2, 3000))).toBe(true);
    there?.tunnel?.finish();
    world.run();
    expect([here.tunnel?.state, there?.tunnel?.state]).toEqual(['closed', 'closed']);
    expect([world.gateway.tunnels.size, world.relay.tunnels.size]).toEqual([0, 0]);
  });
});

/** A tunnel in each of the states in which it can be broken off. */
const states: Record<string, (here: Tunnel, there: Tunnel | undefined) => void> = {
  'that is open': () => {},
  'that has bytes on their way': (here, there) => {
    here.write(textOf(1, 900));
    there?.write(textOf(2, 900));
  },
  'that waits for credit': (here, there) => {
    here.write(textOf(1, 50_000));
    there?.write(textOf(2, 50_000));
  },
  'that has ended here': here => here.finish(),
  'that has ended there': (_, there) => there?.finish(),
};

describe('a tunnel that is broken off', () => {
  for (const [state, bring] of Object.entries(states)) {
    it.each(['here', 'there', 'at both ends'])(`${state}: %s, is over at both ends`, where => {
      const { world, answers } = pair({ limits: { windowBytes: 2000 }, isEager: false });
      const here = new Talker();
      const tunnel = open(world.gateway, here);
      world.run();
      bring(tunnel, answers[0]?.tunnel);
      if (where !== 'there') here.breakOff();
      if (where !== 'here') answers[0]?.breakOff();
      world.run();
      expect([world.gateway.tunnels.size, world.relay.tunnels.size]).toEqual([0, 0]);
      expect([world.gateway.heldBytes, world.relay.heldBytes]).toEqual([0, 0]);
      expect([here.isOver, answers[0]?.isOver, here.wasToldMore, answers[0]?.wasToldMore]).toEqual([
        true,
        true,
        false,
        false,
      ]);
    });
  }

  it('before its opening has arrived, was never there for anybody but is over at both ends', () => {
    const { world, answers } = pair();
    const here = new Talker();
    open(world.gateway, here);
    here.breakOff();
    world.run();
    expect(answers[0]?.reset?.code).toBe(resetCodes.cancelled);
    expect([world.gateway.tunnels.size, world.relay.tunnels.size]).toEqual([0, 0]);
  });

  it('by its user in the midst of what comes, is told nothing more', () => {
    const { world } = pair({ text: textOf(1, 50_000) });
    const here = new (class extends Talker {
      override onData(bytes: Uint8Array): void {
        super.onData(bytes);
        this.breakOff();
      }
    })();
    open(world.gateway, here);
    world.run();
    expect([here.wasToldMore, here.isFinished, world.relay.tunnels.size]).toEqual([false, false, 0]);
  });
});

describe('the session whose user ends it in the midst of what comes', () => {
  it('tells nothing more, and lets go of all', () => {
    const { world, answers } = pair({ text: textOf(1, 50_000) });
    const here = new (class extends Talker {
      override onData(bytes: Uint8Array): void {
        super.onData(bytes);
        world.gateway.close(new Error('enough'));
      }
    })();
    open(world.gateway, here);
    world.run();
    expect([here.reset?.code, here.isFinished]).toEqual([resetCodes.sessionOver, false]);
    expect(answers[0]?.reset).toMatchObject({ code: resetCodes.sessionOver });
    expect(answers[0]?.reset?.message).toContain('enough');
    expect([world.gateway.heldBytes, world.relay.heldBytes]).toEqual([0, 0]);
    expect(() => world.gateway.attach(9, { send() {}, isFull: false })).toThrow(SessionOverError);
  });
});

describe('an opening', () => {
  it('of a target with too long a name is refused here, and the session goes on', () => {
    const { world } = pair();
    const request = { kind: 'tcp', target: 'é'.repeat(513), publicOnly: false } as const;
    expect(() => world.gateway.open({ request, user: new Talker() })).toThrow(TunnelTargetError);
    world.run();
    expect([world.gateway.isOver, world.gateway.tunnels.size]).toEqual([false, 0]);
  });

  it('of more tunnels than there may be is refused here, and there', () => {
    const { world } = pair({ limits: { tunnels: 3 } });
    for (let tunnels = 0; tunnels < 3; tunnels++) open(world.gateway, new Talker());
    expect(() => open(world.gateway, new Talker())).toThrow(SessionFullError);
    const fromThere = new Talker();
    open(world.relay, fromThere);
    world.run();
    expect(fromThere.reset?.code).toBe(resetCodes.busy);
    expect(world.gateway.isOver).toBe(false);
  });

  it('after the other end wants no more is refused; those that are open go on', () => {
    const { world, answers } = pair();
    const before = new Talker(textOf(1, 5000));
    const late = new Talker();
    open(world.gateway, before);
    world.run();
    world.relay.goAway();
    open(world.gateway, late);
    world.run();
    expect(late.reset?.code).toBe(resetCodes.closing);
    expect(() => open(world.gateway, new Talker())).toThrow(SessionOverError);
    if (before.tunnel !== undefined) before.begin(before.tunnel);
    world.run();
    expect(answers[0]?.received.length).toBe(5000);
  });

  it('is told to have been wished to end on carriers that come later, too', () => {
    const world = new Simulation();
    world.relay.goAway();
    world.connect();
    world.run();
    expect(world.gateway.isGoingAway).toBe(true);
  });
});
