import { networkInterfaces } from 'node:os';
import { addressScope, parseIpAddress } from '@manypath/core';

/** An address of this host, as `os.networkInterfaces` tells it. */
export interface HostAddress {
  readonly address: string;
  readonly family: string;
  readonly internal: boolean;
}

/**
 * The best guess at how clients reach this host: what is listened on, or where that is every address, a public one of an
 * interface, else a private one; IPv4 before IPv6, which fewer networks have.
 *
 * @param listenHost A name or an address.
 */
export function guessPublicHost(
  listenHost: string,
  addresses: readonly HostAddress[] = hostAddresses(),
): string {
  if (parseIpAddress(listenHost) === undefined || addressScope(listenHost) !== 'unspecified')
    return listenHost;
  // Who listens on an IPv4 address takes no IPv6.
  const families = listenHost.includes(':') ? ['IPv4', 'IPv6'] : ['IPv4'];
  const outside = addresses.filter(({ internal }) => !internal);
  for (const scope of ['public', 'private', 'reserved'] as const) {
    for (const family of families) {
      const found = outside.find(entry => entry.family === family && addressScope(entry.address) === scope);
      if (found !== undefined) return found.address;
    }
  }
  return 'localhost';
}

function hostAddresses(): HostAddress[] {
  return Object.values(networkInterfaces()).flatMap(list => list ?? []);
}
