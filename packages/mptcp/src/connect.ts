import { isIP, type OnReadOpts, type Socket } from 'node:net';
import { type ManypathError, systemClock } from '@manypath/core';
import {
  type AttemptOptions,
  handOver,
  type KeepAlive,
  type OpenDescriptor,
  startAttempt,
} from './attempt.ts';
import { connectFailure } from './connect-failure.ts';
import {
  AddressRefusedError,
  ArgumentError,
  ConnectError,
  ConnectTimeoutError,
  type FailedAttempt,
} from './errors.ts';
import { type MptcpLimits, mptcpLimits } from './limits.ts';
import { type Race, race } from './race.ts';
import { type Lookup, resolveHost } from './resolve.ts';

export interface ConnectOptions {
  /** A name or an IP literal; an IPv6 literal may stand in brackets and have a zone. */
  host: string;
  port: number;
  /** Use addresses of this family only. Default 0: both. */
  family?: 0 | 4 | 6;
  /** IP address to leave from; it is the first subflow's. Addresses of the other family are then not tried. */
  localAddress?: string;
  /** Network device to leave through (SO_BINDTODEVICE). Linux only. */
  device?: string;
  /** Ask for Multipath TCP. Default true. Where there is none, plain TCP is used, and `info` tells why. */
  mptcp?: boolean;
  /** Gives up: the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds for everything, names included. Default 30 000; 0 waits as long as the kernel does. */
  timeout?: number;
  /** Milliseconds until the next address is tried beside the one before. Default 250 (RFC 8305 §5). */
  attemptDelay?: number;
  /** Default: the system's resolver. */
  lookup?: Lookup;
  /** Send small writes at once (TCP_NODELAY). Default true. */
  noDelay?: boolean;
  /** Probe silent connections, times in milliseconds. Default: after 45 000, every 15 000, at most 4. */
  keepAlive?: Partial<KeepAlive> | false;
  /** Congestion control of all subflows, e.g. `cubic` (see `sysctl net.ipv4.tcp_available_congestion_control`). Linux only. */
  congestion?: string;
  /**
   * Largest TCP segment in both directions, in bytes (TCP_MAXSEG), for ways on which larger packets are lost. Ignored where the
   * kernel refuses it, as for Multipath TCP before Linux 6.18.
   */
  maximumSegment?: number;
  /** Keep the socket writable when the other side has ended. Default false, as in `net`. */
  allowHalfOpen?: boolean;
  /** Read into one static buffer instead of emitting `data`, as in `net`. */
  onread?: OnReadOpts;
  /** Called with every address before it is dialled, never with a name; return an error to refuse it. */
  filterAddress?: (address: string) => Error | undefined;
  /**
   * Gives the descriptor of each attempt, for sockets made elsewhere or in another way ({@link openUserspaceSocket}); what is set
   * here is then applied to it. Default: a socket is made in this process.
   */
  openSocket?: OpenDescriptor;
  /** Other defaults for what is not set above. */
  limits?: MptcpLimits;
}

/**
 * Connects to `host:port`, with Multipath TCP where both sides have it, and returns an ordinary `net.Socket`.
 *
 * Names are resolved first, then addresses raced as RFC 8305 says, each with a descriptor of its own. For an IP
 * literal the descriptor is made before this function returns, so it lies in the caller's network namespace
 * (`inNamespace`). Listen for `error` on the socket in the same turn in which the promise is fulfilled.
 *
 * @throws ConnectError `MPTCP_CONNECT_FAILED`, every address failed
 * @throws ConnectTimeoutError `MPTCP_CONNECT_TIMEOUT`
 * @throws LookupError `MPTCP_LOOKUP_FAILED`
 * @throws AddressRefusedError `MPTCP_ADDRESS_REFUSED`, `filterAddress` refused every address
 * @throws BindError `MPTCP_BIND_FAILED`, `localAddress` or `device` is not to be had
 * @throws OptionError `MPTCP_OPTION_FAILED`, no such `congestion` control
 * @throws UnsupportedError `MPTCP_UNSUPPORTED`, `device` or `congestion` away from Linux
 * @throws ArgumentError `MPTCP_ARGUMENT_INVALID`
 * @throws the reason of `signal`
 */
export async function connect(options: ConnectOptions): Promise<Socket> {
  const plan = planConnect(options);
  options.signal?.throwIfAborted();
  const deadline = new Deadline(plan, options.signal);
  let running: Race<Socket> | undefined;
  try {
    // A literal must not wait for anything: its descriptor belongs to the caller's namespace of this moment.
    const addresses =
      isIP(plan.host) === 0
        ? await deadline.orSooner(resolveHost(plan.host, { ...plan, signal: deadline.signal }))
        : [plan.host];
    running = race({ addresses, start: plan.start, attemptDelay: plan.attemptDelay, clock: systemClock });
    const socket = await deadline.orSooner(running.winner);
    if (socket === undefined) throw failure(plan, running.failures());
    // It may have failed between its `connect` event and this moment: then nobody would hear of it any more.
    const { errored, remoteAddress = plan.host } = socket;
    if (errored !== null) throw new ConnectError(plan.target, [{ address: remoteAddress, error: errored }]);
    return handOver(socket);
  } catch (error) {
    running?.stop();
    if (error !== deadline) throw error;
    throw new ConnectTimeoutError(plan.target, plan.timeout, unwrapped(running?.failures() ?? []));
  } finally {
    deadline.close();
  }
}

interface Plan {
  host: string;
  /** `host:port` for messages. */
  target: string;
  family: 0 | 4 | 6;
  timeout: number;
  attemptDelay: number;
  most: number;
  lookup: Lookup | undefined;
  start: (address: string) => ReturnType<typeof startAttempt>;
}

/** Checks the options and fills in what they leave open. */
function planConnect(options: ConnectOptions): Plan {
  const limits = { ...mptcpLimits, ...options.limits };
  const host = options.host.replace(/^\[(.*)\]$/, '$1');
  const { port, family = 0, keepAlive = {} } = options;
  if (host === '') throw new ArgumentError('There is no host to connect to');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new ArgumentError(`The port must be a whole number from 1 to 65535, not ${port}`);
  }
  if (options.localAddress !== undefined && isIP(options.localAddress) === 0) {
    throw new ArgumentError(
      `localAddress must be an IP address, not ${JSON.stringify(options.localAddress)}`,
    );
  }
  const version = isIP(host);
  if (version !== 0 && family !== 0 && version !== family) {
    throw new ArgumentError(`${host} is not an IPv${family} address`);
  }
  const settings: AttemptOptions = {
    port,
    mptcp: options.mptcp ?? true,
    localAddress: options.localAddress,
    device: options.device,
    congestion: options.congestion,
    maximumSegment: options.maximumSegment,
    noDelay: options.noDelay ?? true,
    keepAlive: keepAlive && {
      idle: keepAlive.idle ?? limits.keepAliveIdleMs,
      interval: keepAlive.interval ?? limits.keepAliveIntervalMs,
      count: keepAlive.count ?? limits.keepAliveCount,
    },
    openSocket: options.openSocket,
    socket: {
      allowHalfOpen: options.allowHalfOpen ?? false,
      ...(options.onread === undefined ? {} : { onread: options.onread }),
    },
  };
  return {
    host,
    target: version === 6 ? `[${host}]:${port}` : `${host}:${port}`,
    family:
      family === 0 && options.localAddress !== undefined ? (isIP(options.localAddress) as 4 | 6) : family,
    timeout: options.timeout ?? limits.connectTimeoutMs,
    attemptDelay: options.attemptDelay ?? limits.attemptDelayMs,
    most: limits.addressesPerName,
    lookup: options.lookup,
    start(address) {
      const refusal = options.filterAddress?.(address);
      if (refusal !== undefined) throw new Filtered(refusal);
      return startAttempt(address, settings);
    },
  };
}

/** Carries a refusal of `filterAddress` through the race. */
class Filtered extends Error {
  readonly refusal: Error;

  constructor(refusal: Error) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

function unwrapped(failures: readonly FailedAttempt[]): FailedAttempt[] {
  return failures.map(({ address, error }) => ({
    address,
    error: error instanceof Filtered ? error.refusal : error,
  }));
}

/** The one error for a race that nobody won. */
function failure({ target }: Plan, failures: readonly FailedAttempt[]): ManypathError {
  const attempts = unwrapped(failures);
  if (failures.every(({ error }) => error instanceof Filtered))
    return new AddressRefusedError(target, attempts);
  return connectFailure(target, attempts);
}

/** The end of patience: a timeout and the caller's signal in one. Itself is the error of the timeout. */
class Deadline {
  readonly #ended: Promise<never>;
  /** Only names are waited for by it: for addresses it is never made. */
  #aborter: AbortController | undefined;
  readonly #close: () => void;

  constructor({ timeout }: Plan, signal: AbortSignal | undefined) {
    let end: (error: unknown) => void = () => {};
    this.#ended = new Promise((_, reject) => {
      end = reject;
    });
    this.#ended.catch(() => {});
    const onAbort = (): void => end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    const timer = timeout > 0 ? systemClock.after(timeout, () => end(this)) : undefined;
    this.#close = () => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
    };
  }

  /** Aborted when the connection is made or given up: nothing waits for names any more. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    return this.#aborter.signal;
  }

  orSooner<T>(result: Promise<T>): Promise<T> {
    return Promise.race([result, this.#ended]);
  }

  close(): void {
    this.#close();
    this.#aborter?.abort();
  }
}
