import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tunnel } from '../src/index.ts';
import { Simulation, Talker, textOf } from './support/simulation.ts';

const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      at: fc.nat(5),
      up: fc.boolean(),
      bytes: fc.integer({ min: 1, max: 4000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('open' as const), size: fc.nat(30_000), fromRelay: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('connect' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('connect in vain' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('cut' as const),
      at: fc.nat(5),
      told: fc.constantFrom('gateway', 'relay', 'both', 'nobody'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('leave' as const), at: fc.nat(5), byRelay: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('move' as const), at: fc.nat(5), tunnel: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(200) }) },
);

describe('tunnels whose carriers are lost at any moment', () => {
  it('deliver every byte once and in its order, both ways, with its end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), steps => {
        const pairs: { here: Talker; there: Talker; seed: number; size: number }[] = [];
        const answer = (tunnel: Tunnel): void => {
          const [seed = 0, size = 0] = tunnel.request.target.split(':').map(Number);
          const there = new Talker(textOf(seed + 1000, size));
          pairs[seed] = { ...(pairs[seed] as { here: Talker; seed: number; size: number }), there };
          tunnel.user = there;
          tunnel.accept();
          there.begin(tunnel);
        };
        const world = new Simulation({
          gateway: { onOpen: answer },
          relay: { onOpen: answer },
          limits: { windowBytes: 3000, widestWindowBytes: 12_000, acknowledgeBytes: 2000, carriers: 1000 },
          queueBytes: 3000,
        });
        const at = (index: number) => world.connections[index % Math.max(1, world.connections.length)];
        for (const one of steps) {
          const connection = 'at' in one ? at(one.at) : undefined;
          if (one.do === 'deliver' && connection !== undefined) {
            world.deliver(connection, one.up ? 'to relay' : 'to gateway', one.bytes);
          }
          if (one.do === 'open') {
            const seed = pairs.length;
            const here = new Talker(textOf(seed, one.size));
            pairs.push({ here, there: here, seed, size: one.size });
            const end = one.fromRelay ? world.relay : world.gateway;
            here.begin(
              end.open({
                request: { kind: 'tcp', target: `${seed}:${one.size}`, publicOnly: false },
                user: here,
              }),
            );
          }
          if (one.do === 'connect') world.connect();
          if (one.do === 'connect in vain') world.connectInVain();
          if (one.do === 'cut' && connection !== undefined) {
            world.cut(connection);
            if (one.told === 'gateway' || one.told === 'both') world.gateway.leave(connection.atGateway);
            if (one.told === 'relay' || one.told === 'both') world.relay.leave(connection.atRelay);
          }
          if (one.do === 'leave' && connection !== undefined) {
            if (one.byRelay) world.relay.leave(connection.atRelay);
            else world.gateway.leave(connection.atGateway);
          }
          if (one.do === 'move' && connection !== undefined) {
            const tunnels = [...world.gateway.tunnels.values()];
            const tunnel = tunnels[one.tunnel % Math.max(1, tunnels.length)];
            if (tunnel !== undefined) world.gateway.move(tunnel, connection.atGateway);
          }
          if (one.do === 'wait') world.clock.advance(one.ms);
          world.settle();
        }
        // The gateway finds out by and by which of them are silent.
        world.connect();
        for (const connection of world.connections.slice(0, -1)) {
          if (connection.toRelay.isBroken) world.gateway.leave(connection.atGateway);
        }
        world.run();
        for (const { here, there, seed, size } of pairs) {
          expect(there).not.toBe(here);
          expect(here.reset).toBeUndefined();
          expect(there.reset).toBeUndefined();
          expect(Buffer.from(there.received).equals(Buffer.from(textOf(seed, size)))).toBe(true);
          expect(Buffer.from(here.received).equals(Buffer.from(textOf(seed + 1000, size)))).toBe(true);
          expect([here.isFinished, there.isFinished]).toEqual([true, true]);
        }
        expect(world.gateway.tunnels.size + world.relay.tunnels.size).toBe(0);
        expect(world.gateway.heldBytes + world.relay.heldBytes).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
