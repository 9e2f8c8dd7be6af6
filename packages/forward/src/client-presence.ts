import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { ManypathError } from '@manypath/core';
import { socketOwnerUid } from '@manypath/mptcp';

/**
 * Whether a client that has ended its direction has closed its socket, rather than half of it: TCP says the same of both, but of a
 * program on this machine the kernel knows.
 *
 * @returns `undefined` where it cannot be known.
 */
export function hasLeft(client: Duplex): boolean | undefined {
  if (!(client instanceof Socket) || client instanceof TLSSocket) return undefined;
  const { localAddress, localPort, remoteAddress, remotePort } = client;
  if (localAddress === undefined || localPort === undefined) return undefined;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  const here = { address: localAddress, port: localPort };
  const there = { address: remoteAddress, port: remotePort };
  try {
    // Both ends are looked for: one that is of another network namespace is not seen from here, nor is its peer.
    return socketOwnerUid(here, there) === undefined ? undefined : socketOwnerUid(there, here) === undefined;
  } catch (error) {
    if (ManypathError.is(error)) return undefined;
    throw error;
  }
}
