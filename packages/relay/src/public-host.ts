import { networkInterfaces } from 'node:os';
import { addressScope } from '@manypath/core';

/**
 * The best guess at how clients reach this host: a public address of an interface, else a private one, else the
 * address that is listened on.
 */
export function guessPublicHost(listenHost: string): string {
  if (!['unspecified', 'loopback'].includes(addressScope(listenHost))) return listenHost;
  if (addressScope(listenHost) === 'loopback') return listenHost;
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []);
  const usable = addresses.filter(({ internal }) => !internal);
  for (const scope of ['public', 'private', 'reserved'] as const) {
    const found = [4, 6].flatMap(family =>
      usable.filter(entry => entry.family === `IPv${family}` && addressScope(entry.address) === scope),
    )[0];
    if (found !== undefined) return found.address;
  }
  return 'localhost';
}
