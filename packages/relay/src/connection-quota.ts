import type { Socket } from 'node:net';
import type { RelayLimits } from './limits.ts';

/** Counts the connections of clients, so that none of them can take all there are. */
export class ConnectionQuota {
  readonly #limits: RelayLimits;
  readonly #byAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: RelayLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Counts a connection until it is closed. @returns Whether it may stay. */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const before = this.#byAddress.get(address) ?? 0;
    if (this.#total >= this.#limits.connections || before >= this.#limits.connectionsPerAddress) return false;
    this.#total += 1;
    this.#byAddress.set(address, before + 1);
    socket.once('close', () => this.#release(address));
    return true;
  }

  #release(address: string): void {
    this.#total -= 1;
    const left = (this.#byAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }
}
