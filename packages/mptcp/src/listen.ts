import cluster from 'node:cluster';
import { promises as dns } from 'node:dns';
import * as net from 'node:net';
import { ArgumentError, LookupError, UnsupportedError } from './errors.ts';
import {
  AF_INET6,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_IPV6,
  SOL_SOCKET,
} from './kernel/constants.ts';
import { type Libc, tryLibc } from './kernel/libc.ts';
import { encodeSockaddr, familyOf } from './kernel/sockaddr.ts';
import { mptcpLimits } from './limits.ts';
import { remember } from './memory.ts';
import { bindError, bindToDevice, type OpenedSocket, openSocket, setCongestion } from './open-socket.ts';
import type { InfoReason } from './reasons.ts';

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

export interface ServerOptions extends ListenOptions {
  /** As in `net.createServer`. Default false. */
  allowHalfOpen?: boolean;
  /** As in `net.createServer`: sockets come paused, nothing is read from them. Default false. */
  pauseOnConnect?: boolean;
}

/**
 * A listening `net.Server` that takes Multipath TCP and plain TCP alike. `info` tells for each connection which
 * it is.
 *
 * @throws as `listen`
 */
export async function createServer(
  options: ServerOptions = {},
  onConnection?: (socket: net.Socket) => void,
): Promise<net.Server> {
  const { allowHalfOpen = false, pauseOnConnect = false } = options;
  return listen(net.createServer({ allowHalfOpen, pauseOnConnect }, onConnection), options);
}

/**
 * Makes any server of Node that is built on `net.Server` (http, https, http2, tls) listen for Multipath TCP.
 *
 * For an IP literal, or no host at all, the descriptor is made before this function returns, in the caller's
 * network namespace (`inNamespace`). The address is bound natively with SO_REUSEADDR.
 *
 * @throws BindError `MPTCP_BIND_FAILED`, e.g. EADDRINUSE
 * @throws LookupError `MPTCP_LOOKUP_FAILED`
 * @throws OptionError `MPTCP_OPTION_FAILED`, no such `congestion` control
 * @throws UnsupportedError `MPTCP_UNSUPPORTED`, in a worker of `node:cluster`, or `device`, `reusePort`, `congestion` away from Linux
 * @throws ArgumentError `MPTCP_ARGUMENT_INVALID`
 */
export async function listen<S extends net.Server>(server: S, options: ListenOptions = {}): Promise<S> {
  const { signal, port = 0, backlog = mptcpLimits.backlog } = options;
  signal?.throwIfAborted();
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ArgumentError(`The port must be a whole number from 0 to 65535, not ${port}`);
  }
  if (server.listening) throw new ArgumentError('This server listens already');
  if (cluster.isWorker) {
    throw new UnsupportedError(
      'A worker of node:cluster cannot listen for Multipath TCP: the primary would own it',
      {
        hint: 'Use worker_threads or child processes that each listen with reusePort.',
      },
    );
  }
  let host = options.host?.replace(/^\[(.*)\]$/, '$1');
  if (host !== undefined && net.isIP(host) === 0) host = await resolve(host);
  const libc = tryLibc();
  if (libc === undefined) return listenPortably(server, host, port, backlog, options);

  const opened = host === undefined ? bindAnywhere(libc, port, options) : bindTo(libc, host, port, options);
  noteListener(server, { protocol: opened.protocol, reason: opened.plainReason });
  let adopted = false;
  const start = (): void => {
    server.listen({ fd: opened.fd, backlog });
    adopted = true;
  };
  await listening(server, placeName(host, port), signal, start).finally(() => {
    if (!adopted) libc.close(opened.fd);
  });
  return server;
}

/** What a listener takes. */
export interface ListenerInfo {
  protocol: 'mptcp' | 'tcp';
  /** The reason a plain TCP connection of it has: `peer-refused` where Multipath TCP would be taken. */
  reason: InfoReason;
}

const listeners = new WeakMap<net.Server, ListenerInfo>();

/** What a server of `listen` or `createServer` takes; `undefined` for a server that listens otherwise. */
export function listenerInfo(server: net.Server): ListenerInfo | undefined {
  return listeners.get(server);
}

async function resolve(host: string): Promise<string> {
  try {
    return (await dns.lookup(host)).address;
  } catch (cause) {
    throw new LookupError(host, cause);
  }
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

function listenPortably<S extends net.Server>(
  server: S,
  host: string | undefined,
  port: number,
  backlog: number,
  options: ListenOptions,
): Promise<S> {
  for (const native of ['device', 'congestion', 'reusePort'] as const) {
    if (options[native] === undefined || options[native] === false) continue;
    throw new UnsupportedError(`The option "${native}" cannot be honoured here`, {
      hint: 'It needs Linux and the npm package koffi; leave it out elsewhere.',
    });
  }
  const reason = options.mptcp === false ? 'not-requested' : 'unsupported-platform';
  noteListener(server, { protocol: 'tcp', reason });
  const where = host === undefined ? {} : { host };
  return listening(server, placeName(host, port), options.signal, () =>
    server.listen({ ...where, port, backlog, ipv6Only: options.ipv6Only ?? false }),
  ).then(() => server);
}

/** Keeps what accepted sockets need to know about their listener, and passes it on to each. */
function noteListener(server: net.Server, about: ListenerInfo): void {
  const isNew = !listeners.has(server);
  listeners.set(server, about);
  if (isNew)
    server.prependListener('connection', socket => rememberAccepted(socket, listeners.get(server) ?? about));
}

function rememberAccepted(socket: net.Socket, { protocol, reason }: ListenerInfo): void {
  const mptcp = protocol === 'mptcp';
  // An MPTCP listener hands out TCP descriptors to those who ask for TCP; which one it is, is read when needed. A
  // descriptor of MPTCP then means that the handshake was one (RFC 8684 §3.1).
  remember(socket, { protocol: mptcp ? undefined : 'tcp', plainReason: reason, wasMultipath: mptcp });
}

function placeName(host: string | undefined, port: number): string {
  return `${host ?? 'any address'} port ${port}`;
}

/** Starts a server and waits until it listens; `signal` closes it, then or later. */
function listening(
  server: net.Server,
  place: string,
  signal: AbortSignal | undefined,
  start: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settled = (): void => {
      server.off('error', onError);
      server.off('listening', onListening);
    };
    const onAbort = (): void => {
      settled();
      server.close();
      reject(signal?.reason);
    };
    const onListening = (): void => {
      settled();
      resolve();
    };
    const onError = (error: Error): void => {
      settled();
      signal?.removeEventListener('abort', onAbort);
      reject(bindError(place, error));
    };
    server.on('error', onError);
    server.on('listening', onListening);
    server.once('close', () => signal?.removeEventListener('abort', onAbort));
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      start();
    } catch (error) {
      onError(error as Error);
    }
  });
}
