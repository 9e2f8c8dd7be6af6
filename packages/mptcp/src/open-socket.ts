import { BindError, OptionError, SystemCallError } from './errors.ts';
import {
  IPPROTO_MPTCP,
  IPPROTO_TCP,
  SO_BINDTODEVICE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_CONGESTION,
} from './kernel/constants.ts';
import { errnoName } from './kernel/errno.ts';
import type { Libc } from './kernel/libc.ts';
import { type InfoReason, refusalReason } from './reasons.ts';

/** A new descriptor, owned by the caller until it is wrapped. */
export interface OpenedSocket {
  fd: number;
  protocol: 'mptcp' | 'tcp';
  /** Why this one, or a later connection of this listener, is plain TCP should it turn out so. */
  plainReason: InfoReason;
}

/** A stream socket: MPTCP when wanted and the kernel gives one, else TCP with the reason why. */
export function openSocket(libc: Libc, family: number, mptcp: boolean): OpenedSocket {
  const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (!mptcp)
    return { fd: libc.socket(family, type, IPPROTO_TCP), protocol: 'tcp', plainReason: 'not-requested' };
  const fd = libc.trySocket(family, type, IPPROTO_MPTCP);
  if (fd >= 0) return { fd, protocol: 'mptcp', plainReason: 'peer-refused' };
  const plainReason = refusalReason(errnoName(fd));
  if (plainReason === undefined) throw new SystemCallError('socket', -fd, errnoName(fd));
  return { fd: libc.socket(family, type, IPPROTO_TCP), protocol: 'tcp', plainReason };
}

/** Ties a socket to one network device (SO_BINDTODEVICE; needs no privilege since Linux 5.7). */
export function bindToDevice(libc: Libc, fd: number, device: string): void {
  const result = libc.trySetsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`));
  if (result < 0)
    throw bindError(`device ${device}`, new SystemCallError('setsockopt', -result, errnoName(result)));
}

/** Chooses the congestion control of a socket and of all its subflows. */
export function setCongestion(libc: Libc, fd: number, name: string): void {
  // An MPTCP socket without a first subflow yet takes any name for good. Reading the option makes that subflow.
  libc.tryGetsockopt(fd, SOL_TCP, TCP_CONGESTION, Buffer.allocUnsafeSlow(16));
  const result = libc.trySetsockopt(fd, SOL_TCP, TCP_CONGESTION, Buffer.from(name));
  if (result < 0) throw new OptionError('congestion', name, errnoName(result));
}

/** The public error for a refused bind(2), listen(2) or SO_BINDTODEVICE; other errors pass unchanged. */
export function bindError(place: string, error: unknown): unknown {
  if (error instanceof SystemCallError) return new BindError(place, error.errnoName, error);
  const refused = error instanceof Error && 'syscall' in error && 'code' in error;
  return refused ? new BindError(place, String(error.code), error) : error;
}
