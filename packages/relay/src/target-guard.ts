import { type AddressScope, type Authority, addressScope } from '@manypath/core';
import { ProxyRefusal } from '@manypath/forward';

/** A paired client asked for a target that the relay does not dial. */
export class TargetRefusedError extends ProxyRefusal {
  constructor(scope: AddressScope) {
    super(403, 'MANYPATH_RELAY_TARGET_REFUSED', `this relay does not dial ${description[scope]}`, {
      hint: 'if it should, start it with --allow-private',
    });
  }
}

const description: Record<AddressScope, string> = {
  loopback: 'loopback addresses',
  'link-local': 'link-local addresses',
  private: 'private addresses',
  metadata: 'the metadata service of its cloud',
  unspecified: 'the unspecified address',
  multicast: 'multicast addresses',
  reserved: 'reserved addresses',
  public: 'this address',
};

/**
 * Refuses addresses that only the relay's own network can reach: whoever is paired must not look into it.
 *
 * To be asked with the very address that is about to be dialled, so that no name can be made to mean another one
 * in between.
 *
 * @returns What to refuse the address with, or `undefined`.
 */
export function refuseInward(address: string): TargetRefusedError | undefined {
  const scope = addressScope(address);
  return scope === 'public' ? undefined : new TargetRefusedError(scope);
}

/** Port 25 is what open proxies are abused for first. */
const refusedPorts = new Set([0, 25]);

/** @throws ProxyRefusal 403 `MANYPATH_RELAY_PORT_REFUSED` */
export function checkPort({ port }: Authority): void {
  if (refusedPorts.has(port)) {
    throw new ProxyRefusal(403, 'MANYPATH_RELAY_PORT_REFUSED', `this relay does not dial port ${port}`);
  }
}
