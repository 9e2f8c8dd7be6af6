import type { Carrier } from './carrier.ts';
import type { Tunnel } from './tunnel.ts';

/** Which tunnels ride on which carrier, and which of them have something to send that it does not take just now. */
export class Riders {
  readonly #held = new Map<Carrier, Set<Tunnel>>();

  /** Has a tunnel ride on a carrier; on one that was left, it waits until that is settled. */
  ride(tunnel: Tunnel, carrier: Carrier): void {
    if (tunnel.carrier === carrier) return;
    this.getOff(tunnel);
    if (carrier.state === 'open') {
      carrier.tunnels += 1;
      tunnel.carrier = carrier;
      tunnel.waitsFor = undefined;
    } else {
      tunnel.waitsFor = carrier;
    }
  }

  /** It rides on nothing any more. */
  getOff(tunnel: Tunnel): void {
    const { carrier } = tunnel;
    if (carrier === undefined) return;
    carrier.tunnels -= 1;
    this.#held.get(carrier)?.delete(tunnel);
    tunnel.carrier = undefined;
  }

  /** It has something to send that its carrier does not take just now. */
  hold(tunnel: Tunnel): void {
    const { carrier } = tunnel;
    if (carrier === undefined) return;
    const held = this.#held.get(carrier);
    if (held === undefined) this.#held.set(carrier, new Set([tunnel]));
    else held.add(tunnel);
  }

  /** Lets those go on that were held, each in its turn, as long as the carrier takes more. */
  letGo(carrier: Carrier, takesMore: (carrier: Carrier) => boolean): void {
    const held = this.#held.get(carrier);
    if (held === undefined) return;
    for (const tunnel of held) {
      if (!takesMore(carrier)) return;
      held.delete(tunnel);
      tunnel.pump();
    }
  }

  /** A carrier was left: what rode on it waits until it is settled. */
  orphan(carrier: Carrier, tunnels: Iterable<Tunnel>): void {
    this.#held.delete(carrier);
    for (const tunnel of tunnels) {
      if (tunnel.carrier !== carrier) continue;
      tunnel.carrier = undefined;
      tunnel.waitsFor = carrier;
    }
    carrier.tunnels = 0;
  }

  /** What waited for a carrier goes on by another one. */
  adopt(left: Carrier, present: Carrier, tunnels: Iterable<Tunnel>): void {
    for (const tunnel of tunnels) {
      if (tunnel.waitsFor !== left) continue;
      this.ride(tunnel, present);
      tunnel.pump();
    }
  }
}
