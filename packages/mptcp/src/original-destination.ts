import { isIPv4, type Socket } from 'node:net';
import { unmappedAddress } from '@manypath/core';
import { fdOf } from './descriptor.ts';
import { SO_ORIGINAL_DST, SOL_IP, SOL_IPV6 } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';
import { decodeSockaddr, type SocketAddress } from './kernel/sockaddr.ts';

const answer = Buffer.allocUnsafeSlow(128);

/**
 * Where the client of an accepted connection wanted to go before nftables or iptables redirected it here
 * (`redirect`, `dnat`); `undefined` when nobody did.
 *
 * Reads SO_ORIGINAL_DST (IPv4) or IP6T_SO_ORIGINAL_DST. Linux answers on plain TCP sockets only: let listeners
 * for redirected connections be made with `mptcp: false`, or the clients of MPTCP stay unknown.
 *
 * @throws NoDescriptorError `MPTCP_NO_DESCRIPTOR`, the socket is closed
 */
export function originalDestination(socket: Socket): SocketAddress | undefined {
  const libc = tryLibc();
  if (libc === undefined) return undefined;
  const fd = fdOf(socket);
  const local = unmappedAddress(socket.localAddress ?? '');
  const length = libc.tryGetsockopt(fd, isIPv4(local) ? SOL_IP : SOL_IPV6, SO_ORIGINAL_DST, answer);
  // ENOENT: connection tracking does not know it; ENOPROTOOPT, EOPNOTSUPP: there is no connection tracking here.
  if (length < 0) return undefined;
  const found = decodeSockaddr(answer.subarray(0, length));
  const same = found !== undefined && found.address === local && found.port === socket.localPort;
  return same ? undefined : found;
}
