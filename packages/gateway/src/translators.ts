import { networkInterfaces } from 'node:os';
import { addressScope, type Clock, type Nat64Prefix, nat64Name, nat64Prefixes } from '@manypath/core';
import type { Lookup } from '@manypath/mptcp';

/**
 * Knows by which prefixes the networks of this host lead from IPv6 to IPv4 (RFC 7050): an address behind one may be of a
 * private network, although it looks public.
 */
export class Translators {
  readonly #lookup: Lookup;
  readonly #clock: Clock;
  #asked: Promise<readonly Nat64Prefix[]> | undefined;
  #until = Number.NEGATIVE_INFINITY;

  constructor(lookup: Lookup, clock: Clock) {
    this.#lookup = lookup;
    this.#clock = clock;
  }

  /** The prefixes; none while nobody tells. */
  prefixes(): Promise<readonly Nat64Prefix[]> {
    if (!hasGlobalIpv6()) return Promise.resolve([]);
    if (this.#asked === undefined || this.#until <= this.#clock.now()) {
      this.#until = this.#clock.now() + keptMs;
      this.#asked = this.#ask();
    }
    return this.#asked;
  }

  /** The network changed: others may translate otherwise. */
  forget(): void {
    this.#asked = undefined;
  }

  async #ask(): Promise<readonly Nat64Prefix[]> {
    const patience = AbortSignal.timeout(patienceMs);
    const nobody = new Promise<readonly []>(resolve =>
      patience.addEventListener('abort', () => resolve([]), { once: true }),
    );
    const found = this.#lookup(nat64Name, { family: 6, signal: patience }).catch(() => []);
    return nat64Prefixes((await Promise.race([found, nobody])).map(({ address }) => address));
  }
}

/** Without an address that leads out, no IPv6 address is reached at all. */
function hasGlobalIpv6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  return addresses.some(({ family, address }) => {
    const scope = family === 'IPv6' ? addressScope(address) : 'loopback';
    return scope !== 'loopback' && scope !== 'link-local';
  });
}

/** How long an answer is believed, in milliseconds. */
const keptMs = 600_000;
/** How long an answer is waited for, in milliseconds. */
const patienceMs = 2_000;
