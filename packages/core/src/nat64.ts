import { addressScope, cidrContains, formatIpAddress, type IpAddress, parseIpAddress } from './ip-address.ts';

/** The name that a translating network gives IPv6 addresses to (RFC 7050 §2), and the IPv4 ones that it has by itself. */
export const nat64Name = 'ipv4only.arpa';
const wellKnown = ['192.0.0.170', '192.0.0.171'];

/** Where an address keeps its IPv4 one, by the length of the prefix before it; byte 8 is left out (RFC 6052 §2.2). */
const places: readonly (readonly [number, readonly number[]])[] = [
  [32, [4, 5, 6, 7]],
  [40, [5, 6, 7, 9]],
  [48, [6, 7, 9, 10]],
  [56, [7, 9, 10, 11]],
  [64, [9, 10, 11, 12]],
  [96, [12, 13, 14, 15]],
];

/** How one network translates: which addresses lead to IPv4 ones, and to which. */
export interface Nat64Prefix extends IpAddress {
  readonly prefixLength: number;
}

/**
 * Finds the prefixes of translators in the IPv6 addresses that a network gives for {@link nat64Name} (RFC 7050 §3).
 *
 * @param addresses As the resolver gave them; what is no such address is left out.
 */
export function nat64Prefixes(addresses: readonly string[]): Nat64Prefix[] {
  return addresses.flatMap(text => {
    const address = parseIpAddress(text);
    if (address?.family !== 6) return [];
    const place = places.find(([, at]) => wellKnown.includes(embedded(address.bytes, at)));
    return place === undefined ? [] : [{ ...address, prefixLength: place[0] }];
  });
}

/** The IPv4 address that an address leads to by one of some translators; `undefined` when by none. */
export function translatedAddress(text: string, prefixes: readonly Nat64Prefix[]): string | undefined {
  const address = parseIpAddress(text.replace(/%.*$/, ''));
  const prefix = address && prefixes.find(one => cidrContains(one, address));
  const place = places.find(([length]) => length === prefix?.prefixLength);
  return address && place && embedded(address.bytes, place[1]);
}

/** As `addressScope`, seen through the translators of the network. */
export function scopeThrough(
  text: string,
  prefixes: readonly Nat64Prefix[],
): ReturnType<typeof addressScope> {
  return addressScope(translatedAddress(text, prefixes) ?? text);
}

function embedded(bytes: Uint8Array, at: readonly number[]): string {
  return formatIpAddress(Uint8Array.from(at, position => bytes[position] ?? 0));
}
