import type { Socket } from 'node:net';
import type { RelayLimits } from './limits.ts';
import { peerKey } from './peer-address.ts';

/** Counts the connections of clients, so that none of them can take all there are. */
export class ConnectionQuota {
  readonly #limits: RelayLimits;
  readonly #byPeer = new Map<string, number>();
  #total = 0;

  constructor(limits: RelayLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** How many addresses are connected. */
  get peers(): number {
    return this.#byPeer.size;
  }

  /** Counts a connection until it is closed. @returns Whether it may stay. */
  admit(socket: Socket): boolean {
    const peer = peerKey(socket.remoteAddress);
    const before = this.#byPeer.get(peer) ?? 0;
    if (this.#total >= this.#limits.connections || before >= this.#limits.connectionsPerAddress) return false;
    this.#total += 1;
    this.#byPeer.set(peer, before + 1);
    socket.once('close', () => this.#release(peer));
    return true;
  }

  #release(peer: string): void {
    this.#total -= 1;
    const left = (this.#byPeer.get(peer) ?? 1) - 1;
    if (left > 0) this.#byPeer.set(peer, left);
    else this.#byPeer.delete(peer);
  }
}
