import { DiagReader } from '@manypath/mptcp';
import { isOnLink } from '../dial/leads-out.ts';
import type { Path } from '../discovery/path.ts';

/**
 * Whether something came over a path to any program of this host within the last `withinMs` milliseconds, from beyond its own
 * network, as the kernel's table of TCP sockets has it.
 *
 * @throws what `DiagReader` throws
 */
export function hasHeard({ index, addresses }: Path, withinMs: number): boolean {
  const reader = DiagReader.open();
  try {
    return reader.lastHeard().some(({ local, remote, boundIndex, heardMs }) => {
      if (heardMs >= withinMs || (boundIndex !== 0 && boundIndex !== index)) return false;
      const own = addresses.find(({ address }) => address === local.address);
      return own !== undefined && !isOnLink(remote.address, own);
    });
  } finally {
    reader.close();
  }
}
