import { networkInterfaces } from 'node:os';
import { type AddressScope, type Authority, addressScope, type Clock, systemClock } from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';
import { plainAddress } from './peer-address.ts';

/** A paired client asked for an address that the relay does not dial (403 `MANYPATH_RELAY_TARGET_REFUSED`). */
export class TargetRefusedError extends ProxyRefusal {
  constructor(what: string) {
    super(403, 'MANYPATH_RELAY_TARGET_REFUSED', `this relay does not dial ${what}`, {
      hint: 'if it should, start it with --allow-private',
    });
  }
}

/** A paired client asked for a port that the relay does not dial (403 `MANYPATH_RELAY_PORT_REFUSED`). */
export class PortRefusedError extends ProxyRefusal {
  constructor(port: number) {
    super(403, 'MANYPATH_RELAY_PORT_REFUSED', `this relay does not dial port ${port}`);
  }
}

export interface TargetGuardOptions {
  /** Dial loopback, private, link-local and metadata addresses, and the relay's own host, too. */
  allowPrivate: boolean;
  /** Ports that are never dialled. */
  refusedPorts: Iterable<number>;
  /** Addresses of this host; default: those of its interfaces. */
  ownAddresses?: () => Iterable<string>;
  clock?: Clock;
}

const described: Record<Exclude<AddressScope, 'public'>, string> = {
  loopback: 'loopback addresses',
  'link-local': 'link-local addresses',
  private: 'private addresses',
  metadata: 'metadata services',
  unspecified: 'the unspecified address',
  multicast: 'multicast addresses',
  reserved: 'reserved addresses',
};

/** How long the list of this host's addresses is used again, in milliseconds: reading it takes system calls. */
const ownAddressesMs = 5_000;

/**
 * Keeps clients out of the relay's own network: whoever is paired may use the internet through it, but not see
 * what only this host can reach.
 *
 * It is asked about the very address that is about to be dialled, so that no name can be made to mean another one in
 * between (DNS rebinding), and no spelling of an address (octal, hexadecimal, v4-mapped) gets past it.
 */
export class TargetGuard {
  readonly #options: TargetGuardOptions;
  readonly #refusedPorts: ReadonlySet<number>;
  readonly #clock: Clock;
  #own: ReadonlySet<string> = new Set();
  #ownReadAt = Number.NEGATIVE_INFINITY;

  constructor(options: TargetGuardOptions) {
    this.#options = options;
    this.#refusedPorts = new Set(options.refusedPorts);
    this.#clock = options.clock ?? systemClock;
  }

  /** @throws PortRefusedError `MANYPATH_RELAY_PORT_REFUSED` */
  checkPort({ port }: Authority): void {
    if (this.#refusedPorts.has(port)) throw new PortRefusedError(port);
  }

  /**
   * For `filterAddress` of `connect`.
   *
   * @param publicOnly Whether the client itself asks for no more than public addresses.
   * @returns What an address is refused with, or `undefined`.
   */
  readonly refusal = (address: string, publicOnly = false): TargetRefusedError | undefined => {
    if (this.#options.allowPrivate && !publicOnly) return undefined;
    const scope = addressScope(address);
    if (scope !== 'public') return new TargetRefusedError(described[scope]);
    // A host reaches its own public address past the firewall that stands before it.
    return this.#isOwn(address) ? new TargetRefusedError('its own host') : undefined;
  };

  #isOwn(address: string): boolean {
    const now = this.#clock.now();
    if (now - this.#ownReadAt > ownAddressesMs) {
      this.#ownReadAt = now;
      this.#own = new Set([...(this.#options.ownAddresses ?? interfaceAddresses)()].map(plainAddress));
    }
    return this.#own.has(plainAddress(address));
  }
}

function interfaceAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(list => (list ?? []).map(({ address }) => address));
}
