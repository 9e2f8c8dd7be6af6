import * as net from 'node:net';
import { BindError, SystemCallError, UnsupportedError } from './errors.ts';
import { noteMultipath } from './info.ts';
import {
  IPPROTO_TCP,
  SO_KEEPALIVE,
  SOL_IP,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_MAXSEG,
} from './kernel/constants.ts';
import { type Libc, tryLibc } from './kernel/libc.ts';
import { encodeSockaddr, familyOf } from './kernel/sockaddr.ts';
import { remember } from './memory.ts';
import { bindError, bindToDevice, type OpenedSocket, openSocket, setCongestion } from './open-socket.ts';
import type { Attempt } from './race.ts';
import { refusalReason } from './reasons.ts';

/** When a silent connection is probed, and given up. */
export interface KeepAlive {
  /** Milliseconds of silence before the first probe. */
  idle: number;
  /** Milliseconds between probes. */
  interval: number;
  /** Unanswered probes after which the connection fails with ETIMEDOUT. */
  count: number;
}

/** What an attempt needs to know, all defaults filled in. */
export interface AttemptOptions {
  port: number;
  mptcp: boolean;
  localAddress: string | undefined;
  device: string | undefined;
  congestion: string | undefined;
  maximumSegment?: number | undefined;
  noDelay: boolean;
  keepAlive: KeepAlive | false;
  socket: { allowHalfOpen: boolean; onread?: net.OnReadOpts };
  openSocket?: OpenDescriptor | undefined;
}

/**
 * Gives a fresh, unconnected, non-blocking Multipath TCP socket of a family. Its descriptor passes to the caller. When it fails with a
 * `SystemCallError` that says that the kernel gives none, the connection is made with TCP; any other failure is the connection's.
 */
export type OpenDescriptor = (family: 4 | 6) => Promise<number>;

/**
 * Dials one IP literal with a descriptor of its own. The descriptor is made inside this call, in the calling
 * thread's network namespace.
 *
 * Node gets a literal only, and a socket is never dialled twice: for a name with several addresses, and for a
 * second `connect` on a failed socket, Node makes a new handle of its own, which is plain TCP.
 */
export function startAttempt(address: string, options: AttemptOptions): Attempt<net.Socket> {
  const libc = tryLibc();
  if (libc !== undefined && options.openSocket !== undefined) {
    return startWithDescriptor(libc, address, options, options.openSocket);
  }
  const socket = libc === undefined ? portableSocket(options) : kernelSocket(libc, address, options);
  return {
    result: dial(socket, address, options, libc === undefined),
    abandon: () => void socket.destroy(),
  };
}

/**
 * The same with a descriptor that somebody else makes, which takes its time. Where the kernel gives no Multipath TCP socket, the
 * attempt goes on with TCP, as it does without anybody else.
 */
function startWithDescriptor(
  libc: Libc,
  address: string,
  options: AttemptOptions,
  openDescriptor: OpenDescriptor,
): Attempt<net.Socket> {
  let socket: net.Socket | undefined;
  let abandoned = false;
  const family = address.includes(':') ? 6 : 4;
  const opened = openDescriptor(family).then(
    (fd): OpenedSocket => ({ fd, protocol: 'mptcp', plainReason: 'peer-refused' }),
    (error: unknown) => plainInstead(libc, familyOf(address), error),
  );
  const result = opened.then(made => {
    if (abandoned) {
      libc.close(made.fd);
      throw new Error('nobody waits for this connection any more');
    }
    socket = kernelSocket(libc, address, options, made);
    return dial(socket, address, options, false);
  });
  return {
    result,
    abandon: () => {
      abandoned = true;
      socket?.destroy();
    },
  };
}

/** A TCP socket in place of the Multipath TCP one that the kernel refused; any other `error` is thrown again. */
function plainInstead(libc: Libc, family: number, error: unknown): OpenedSocket {
  const plainReason = error instanceof SystemCallError ? refusalReason(error.errnoName) : undefined;
  if (plainReason === undefined) throw error;
  return { ...openSocket(libc, family, false), plainReason };
}

async function dial(
  socket: net.Socket,
  address: string,
  { port, localAddress }: AttemptOptions,
  isPortable: boolean,
): Promise<net.Socket> {
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
    socket.once('error', reject);
    socket.on('error', ignoreError);
    socket.connect({
      host: address,
      port,
      ...(isPortable && localAddress !== undefined ? { localAddress } : {}),
    });
  });
  noteMultipath(socket);
  return socket;
}

/** Keeps a socket that nobody has in hand yet, or any more, from being an uncaught exception. */
function ignoreError(): void {}

/** Hands a connected socket to its user, who answers for its errors from now on. */
export function handOver(socket: net.Socket): net.Socket {
  return socket.off('error', ignoreError);
}

/** A socket over a descriptor made, set up and bound natively. */
function kernelSocket(libc: Libc, address: string, options: AttemptOptions, made?: OpenedSocket): net.Socket {
  const { localAddress, device, noDelay } = options;
  const family = familyOf(address);
  if (localAddress !== undefined && familyOf(localAddress) !== family) {
    if (made !== undefined) libc.close(made.fd);
    throw new BindError(`${localAddress} for a connection to ${address}`, 'EAFNOSUPPORT', undefined);
  }
  const opened = made ?? openSocket(libc, family, options.mptcp);
  try {
    if (device !== undefined) bindToDevice(libc, opened.fd, device);
    if (localAddress !== undefined) bindLocally(libc, opened, localAddress);
    if (options.congestion !== undefined) setCongestion(libc, opened.fd, options.congestion);
    const { maximumSegment } = options;
    if (maximumSegment !== undefined) libc.trySetsockopt(opened.fd, SOL_TCP, TCP_MAXSEG, maximumSegment);
    if (options.keepAlive !== false) setKeepAlive(libc, opened.fd, options.keepAlive);
    // Without manualStart Node reads from the descriptor before it is connected, and ENOTCONN kills the socket.
    const settings = { ...options.socket, fd: opened.fd, manualStart: true, noDelay };
    const socket = new net.Socket(settings as net.SocketConstructorOpts);
    remember(socket, { protocol: opened.protocol, plainReason: opened.plainReason, device });
    return socket;
  } catch (error) {
    libc.close(opened.fd);
    throw error;
  }
}

function bindLocally(libc: Libc, { fd }: OpenedSocket, address: string): void {
  // Ports are then chosen at connect(2), and thousands of connections to different places can share one.
  libc.trySetsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  try {
    libc.bind(fd, encodeSockaddr(address, 0));
  } catch (error) {
    throw bindError(address, error);
  }
}

const IP_BIND_ADDRESS_NO_PORT = 24;

/**
 * Set natively, because Node offers the idle time only. A refusal is accepted: MPTCP carries these options since
 * mid-2024, and a connection without probes is better than none.
 */
function setKeepAlive(libc: Libc, fd: number, { idle, interval, count }: KeepAlive): void {
  const seconds = (milliseconds: number): number => Math.max(1, Math.round(milliseconds / 1000));
  libc.trySetsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  libc.trySetsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle));
  libc.trySetsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval));
  libc.trySetsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, count);
}

/** Where the kernel cannot be called, Node's own TCP has to do. */
function portableSocket(options: AttemptOptions): net.Socket {
  const { device, congestion, keepAlive, noDelay } = options;
  const native = device !== undefined ? 'device' : congestion !== undefined ? 'congestion' : undefined;
  if (native !== undefined) {
    throw new UnsupportedError(`The option "${native}" cannot be honoured here`, {
      hint: 'It needs Linux and the npm package koffi; leave it out elsewhere.',
    });
  }
  const settings = { ...options.socket, noDelay, keepAlive: keepAlive !== false };
  const delay = keepAlive === false ? {} : { keepAliveInitialDelay: keepAlive.idle };
  const socket = new net.Socket({ ...settings, ...delay } as net.SocketConstructorOpts);
  remember(socket, {
    protocol: 'tcp',
    plainReason: options.mptcp ? 'unsupported-platform' : 'not-requested',
  });
  return socket;
}
