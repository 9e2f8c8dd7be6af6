import cluster from 'node:cluster';
import * as net from 'node:net';
import { bindListener, checkPort, type ListenOptions, placeName, resolveBindHost } from './bind.ts';
import { ArgumentError, UnsupportedError } from './errors.ts';
import { tryLibc } from './kernel/libc.ts';
import { mptcpLimits } from './limits.ts';
import { remember } from './memory.ts';
import { bindError } from './open-socket.ts';
import type { InfoReason } from './reasons.ts';

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
  checkPort(port);
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
  if (host !== undefined && net.isIP(host) === 0) host = await resolveBindHost(host);
  const libc = tryLibc();
  if (libc === undefined) return listenPortably(server, host, port, backlog, options);

  const opened = bindListener(libc, host, port, options);
  noteListener(server, { protocol: opened.protocol, reason: opened.plainReason });
  let adopted = false;
  const start = (): void => {
    // With a descriptor Node takes the backlog as an argument of its own only.
    server.listen({ fd: opened.fd }, backlog);
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
