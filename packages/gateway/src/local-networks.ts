import { networkInterfaces } from 'node:os';
import {
  addressScope,
  type Cidr,
  type Clock,
  cidrContains,
  type IpAddress,
  parseCidr,
  parseIpAddress,
} from '@manypath/core';

/** Which router the kernel would send packets for an address to; `undefined` when it cannot tell. */
export type RouteLookup = (address: string) => { readonly gateway?: string | undefined } | undefined;

/**
 * Knows which addresses are of this machine or of a network it is directly on: no relay can reach those, and a browser
 * guards them from public pages (Local Network Access).
 */
export class LocalNetworks {
  readonly #clock: Clock;
  readonly #routeLookup: RouteLookup;
  #subnets: readonly Cidr[] = [];
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, routeLookup: RouteLookup = () => undefined) {
    this.#clock = clock;
    this.#routeLookup = routeLookup;
  }

  /** Whether an address is loopback, link-local, this machine's, or on the same link. Zones are ignored. */
  includes(text: string): boolean {
    const plain = text.replace(/%.*$/, '');
    const scope = addressScope(plain);
    if (scope === 'loopback' || scope === 'link-local' || scope === 'unspecified' || scope === 'metadata')
      return true;
    const address = embeddedOr(parseIpAddress(plain));
    if (address === undefined) return false;
    if (this.#read().some(subnet => cidrContains(subnet, address))) return true;
    // A route without a router may be a point-to-point link to the whole world, as modems have: that is not local.
    if (scope !== 'private') return false;
    const route = this.#routeLookup(plain);
    return route !== undefined && route.gateway === undefined;
  }

  /** Forgets what it read of the interfaces. */
  forget(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  #read(): readonly Cidr[] {
    const now = this.#clock.now();
    if (now - this.#readAt < rereadMs) return this.#subnets;
    this.#readAt = now;
    this.#subnets = Object.values(networkInterfaces())
      .flatMap(entries => entries ?? [])
      .flatMap(({ cidr }) => (cidr === null ? [] : (parseCidr(cidr) ?? [])));
    return this.#subnets;
  }
}

const rereadMs = 2_000;
const mapped = parseCidr('::ffff:0:0/96');

/** The IPv4 address that a v4-mapped IPv6 address means. */
function embeddedOr(address: IpAddress | undefined): IpAddress | undefined {
  if (address === undefined || mapped === undefined || !cidrContains(mapped, address)) return address;
  return { family: 4, bytes: address.bytes.slice(12) };
}
