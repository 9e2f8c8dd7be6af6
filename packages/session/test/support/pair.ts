import type { OpenOptions, Session, Tunnel } from '../../src/index.ts';
import { Simulation, type World } from './simulation.ts';
import { Talker } from './talker.ts';

/** A simulation with one carrier, whose relay has a talker at the other end of each tunnel. */
export function pair({
  text,
  isEager = true,
  ...world
}: World & { text?: Uint8Array; isEager?: boolean } = {}) {
  const answers: Talker[] = [];
  const simulation = new Simulation({
    ...world,
    relay: {
      onOpen: tunnel => {
        const there = new Talker(text);
        there.isEager = isEager;
        answers.push(there);
        tunnel.user = there;
        tunnel.accept();
        if (text !== undefined) there.begin(tunnel);
        else there.tunnel = tunnel;
      },
      ...world.relay,
    },
  });
  return { world: simulation, answers, connection: simulation.connect() };
}

/** Opens a tunnel for a talker, who says nothing yet. */
export function open(session: Session, user: Talker, options: Partial<OpenOptions> = {}): Tunnel {
  const request = { kind: 'tcp', target: 'a.example:443', publicOnly: false } as const;
  const tunnel = session.open({ request, user, ...options });
  user.tunnel = tunnel;
  return tunnel;
}
