import { describe, expect, it } from 'vitest';
import { Simulation } from './support/simulation.ts';

describe('datagrams', () => {
  it('come whole, with the flow that they are of, and none twice', () => {
    const { world, seen } = flows();
    const first = world.connect();
    world.gateway.sendDatagram(5, Buffer.from('one'));
    world.gateway.sendDatagram(6, Buffer.from(''));
    world.run();
    world.cut(first);
    world.notice();
    world.connect();
    world.run();
    expect(seen).toEqual(['5 one', '6 ']);
  });

  it('leave newest first when they had to wait, as many as may wait', () => {
    const { world, seen } = flows();
    for (let number = 0; number < 300; number++) world.gateway.sendDatagram(1, Buffer.from(String(number)));
    world.clock.advance(100);
    world.connect();
    world.run();
    expect(seen).toHaveLength(256);
    expect([seen[0], seen.at(-1)]).toEqual(['1 299', '1 44']);
  });

  it('do not leave when they have waited too long', () => {
    const { world, seen } = flows();
    world.gateway.sendDatagram(1, Buffer.from('old'));
    world.clock.advance(150);
    world.gateway.sendDatagram(1, Buffer.from('new'));
    world.clock.advance(100);
    world.connect();
    world.run();
    expect(seen).toEqual(['1 new']);
    world.gateway.sendDatagram(1, Buffer.from('later'));
    world.run();
    expect(seen).toEqual(['1 new', '1 later']);
  });

  it('wait while no carrier takes more, and take the one that does', () => {
    const { world, seen } = flows(1000);
    const [first, second] = [world.connect(), world.connect()];
    world.gateway.sendDatagram(1, Buffer.alloc(2000, 'a'));
    world.gateway.flush();
    world.gateway.sendDatagram(1, Buffer.alloc(2000, 'b'));
    world.gateway.flush();
    expect([first.toRelay.isFull, second.toRelay.isFull]).toEqual([true, true]);
    world.gateway.sendDatagram(1, Buffer.from('c'));
    world.gateway.sendDatagram(1, Buffer.from('d'));
    world.run();
    expect(seen.map(text => text.slice(0, 3))).toEqual(['1 a', '1 d', '1 c', '1 b']);
  });

  it('that are longer than may be are let go', () => {
    const { world, seen } = flows();
    world.connect();
    world.gateway.sendDatagram(1, Buffer.alloc(65_536));
    world.gateway.sendDatagram(1, Buffer.alloc(65_535, 'x'));
    world.run();
    expect(seen.map(({ length }) => length)).toEqual([65_537]);
  });
});

function flows(queueBytes = 20_000) {
  const seen: string[] = [];
  const onDatagram = (flow: number, bytes: Uint8Array) => void seen.push(`${flow} ${Buffer.from(bytes)}`);
  return { world: new Simulation({ relay: { onDatagram }, queueBytes }), seen };
}
