import { promises as dns } from 'node:dns';
import { ArgumentError, LookupError } from './errors.ts';
import {
  AF_INET6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_IPV6,
  SOL_SOCKET,
} from './kernel/constants.ts';
import type { Libc } from './kernel/libc.ts';
import { encodeSockaddr, familyOf } from './kernel/sockaddr.ts';
import { bindError, bindToDevice, type OpenedSocket, openSocket, setCongestion } from './open-socket.ts';

export interface ListenOptions {
  /** Address or name to listen on. Default `::` with IPv4 as well, or `0.0.0.0` where there is no IPv6. */
  host?: string;
  /** Default 0: any free port, see `server.address()`. */
  port?: number;
  /** Default 4096; the kernel cuts it to `net.core.somaxconn`. */
  backlog?: number;
  /** Take Multipath TCP as well as TCP. Default true. */
  mptcp?: boolean;
  /** Let several sockets share the port, connections being spread over them (SO_REUSEPORT). Default false. */
  reusePort?: boolean;
  /** On `::`, take IPv6 only. Default false. */
  ipv6Only?: boolean;
  /** Take only what comes in through this network device (SO_BINDTODEVICE). Linux only. */
  device?: string;
  /** Congestion control of the connections taken. Linux only. */
  congestion?: string;
  /** Closes the server; the promise, if it still waits, is rejected with the signal's reason. */
  signal?: AbortSignal;
}

/** @throws ArgumentError `MPTCP_ARGUMENT_INVALID` */
export function checkPort(port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return;
  throw new ArgumentError(`The port must be a whole number from 0 to 65535, not ${port}`);
}

/** @throws LookupError `MPTCP_LOOKUP_FAILED` */
export async function resolveBindHost(host: string): Promise<string> {
  try {
    return (await dns.lookup(host)).address;
  } catch (cause) {
    throw new LookupError(host, cause);
  }
}

/** A socket that is bound and does not listen yet, at an IP literal or, without a host, at any address of both families. */
export function bindListener(
  libc: Libc,
  host: string | undefined,
  port: number,
  options: ListenOptions,
): OpenedSocket {
  return host === undefined ? bindAnywhere(libc, port, options) : bindTo(libc, host, port, options);
}

/** `::` with both families; where IPv6 is switched off, `0.0.0.0`. */
function bindAnywhere(libc: Libc, port: number, options: ListenOptions): OpenedSocket {
  try {
    return bindTo(libc, '::', port, options);
  } catch (error) {
    const name = (error as { errnoName?: string }).errnoName;
    if (options.ipv6Only === true || (name !== 'EAFNOSUPPORT' && name !== 'EADDRNOTAVAIL')) throw error;
    return bindTo(libc, '0.0.0.0', port, options);
  }
}

function bindTo(libc: Libc, host: string, port: number, options: ListenOptions): OpenedSocket {
  const family = familyOf(host);
  const opened = openSocket(libc, family, options.mptcp ?? true);
  const { fd } = opened;
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reusePort === true) libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (family === AF_INET6) libc.setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, options.ipv6Only === true ? 1 : 0);
    if (options.device !== undefined) bindToDevice(libc, fd, options.device);
    if (options.congestion !== undefined) setCongestion(libc, fd, options.congestion);
    libc.bind(fd, encodeSockaddr(host, port));
    return opened;
  } catch (error) {
    libc.close(fd);
    throw bindError(placeName(host, port), error);
  }
}

/** A place to listen at, for messages. */
export function placeName(host: string | undefined, port: number): string {
  return `${host ?? 'any address'} port ${port}`;
}
