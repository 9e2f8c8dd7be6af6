import type { Server, Socket } from 'node:net';
import { fdOf } from './descriptor.ts';
import { ArgumentError, OptionError } from './errors.ts';
import {
  AF_INET6,
  IP_TOS,
  IPV6_TCLASS,
  SO_MARK,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVLOWAT,
  SO_SNDBUF,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  TCP_CONGESTION,
  TCP_CORK,
  TCP_MAXSEG,
  TCP_NOTSENT_LOWAT,
} from './kernel/constants.ts';
import { errnoName } from './kernel/errno.ts';
import { type Libc, libc } from './kernel/libc.ts';

/** The options of `setSocketOption` and the type of their values. */
export interface SocketOptionValues {
  /** TCP_CONGESTION: name of the congestion control, of all subflows. */
  congestion: string;
  /** SO_SNDBUF in bytes (the kernel doubles it, and stops sizing the buffer itself). */
  sendBuffer: number;
  /** SO_RCVBUF in bytes (the kernel doubles it, and stops sizing the buffer itself). */
  receiveBuffer: number;
  /** SO_RCVLOWAT: bytes that must wait before the socket counts as readable. */
  receiveLowWater: number;
  /** TCP_NOTSENT_LOWAT: bytes not yet sent above which the socket does not count as writable. */
  notSentLowWater: number;
  /** SO_MARK for routing and netfilter. Needs CAP_NET_ADMIN. */
  mark: number;
  /** SO_PRIORITY, 0 to 6; above that CAP_NET_ADMIN. */
  priority: number;
  /** IP_TOS or IPV6_TCLASS: the whole byte, so DSCP times 4. MPTCP takes it on IPv4 sockets only. */
  typeOfService: number;
  /** TCP_CORK: 1 holds small segments back, 0 lets them go. */
  cork: number;
  /** TCP_MAXSEG in bytes; on MPTCP since Linux 6.18. */
  maximumSegment: number;
}

export type SocketOption = keyof SocketOptionValues;

const places: Record<SocketOption, readonly [level: number, name: number]> = {
  congestion: [SOL_TCP, TCP_CONGESTION],
  sendBuffer: [SOL_SOCKET, SO_SNDBUF],
  receiveBuffer: [SOL_SOCKET, SO_RCVBUF],
  receiveLowWater: [SOL_SOCKET, SO_RCVLOWAT],
  notSentLowWater: [SOL_TCP, TCP_NOTSENT_LOWAT],
  mark: [SOL_SOCKET, SO_MARK],
  priority: [SOL_SOCKET, SO_PRIORITY],
  typeOfService: [SOL_IP, IP_TOS],
  cork: [SOL_TCP, TCP_CORK],
  maximumSegment: [SOL_TCP, TCP_MAXSEG],
};

/**
 * Sets a socket option that Node does not offer. On a Multipath TCP socket it holds for every subflow, also for
 * those that join later.
 *
 * @throws OptionError `MPTCP_OPTION_FAILED`, the kernel refused it: ENOPROTOOPT or EOPNOTSUPP where MPTCP does not carry it
 * @throws NoDescriptorError `MPTCP_NO_DESCRIPTOR`; UnsupportedError `MPTCP_UNSUPPORTED`; ArgumentError `MPTCP_ARGUMENT_INVALID`
 */
export function setSocketOption<O extends SocketOption>(
  socket: Socket | Server,
  option: O,
  value: SocketOptionValues[O],
): void {
  const kernel = libc();
  const fd = fdOf(socket);
  const [level, name] = placeOf(kernel, fd, option);
  if (typeof value === 'number' && !Number.isInteger(value)) {
    throw new ArgumentError(`The option ${option} needs a whole number, not ${value}`);
  }
  const result = kernel.trySetsockopt(
    fd,
    level,
    name,
    typeof value === 'string' ? Buffer.from(value) : value,
  );
  if (result < 0) throw new OptionError(option, value, errnoName(result));
}

/**
 * Reads what `setSocketOption` sets.
 *
 * @throws as `setSocketOption`
 */
export function getSocketOption<O extends SocketOption>(
  socket: Socket | Server,
  option: O,
): SocketOptionValues[O] {
  const kernel = libc();
  const fd = fdOf(socket);
  const [level, name] = placeOf(kernel, fd, option);
  const bytes = Buffer.alloc(64);
  const length = kernel.tryGetsockopt(
    fd,
    level,
    name,
    option === 'congestion' ? bytes : bytes.subarray(0, 4),
  );
  if (length < 0) throw new OptionError(option, 'read', errnoName(length));
  const value = option === 'congestion' ? bytes.toString('latin1').split('\0', 1)[0] : bytes.readInt32LE(0);
  return value as SocketOptionValues[O];
}

function placeOf(kernel: Libc, fd: number, option: SocketOption): readonly [level: number, name: number] {
  const place = places[option];
  if (place === undefined) throw new ArgumentError(`There is no socket option ${JSON.stringify(option)}`);
  if (option !== 'typeOfService') return place;
  const address = kernel.getsockname(fd);
  return address[0] === AF_INET6 ? [SOL_IPV6, IPV6_TCLASS] : place;
}
