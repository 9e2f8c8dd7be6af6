import type { Socket } from 'node:net';
import { type Authority, errorCode } from '@manypath/core';
import { boundBuffers, ProxyRefusal } from '@manypath/forward';
import { AddressRefusedError, ConnectError, connect, type Lookup } from '@manypath/mptcp';
import { type TargetGuard, TargetRefusedError } from './target-guard.ts';

/** The target does not take the connection (502 `MANYPATH_RELAY_TARGET_UNREACHABLE`). */
export class TargetUnreachableError extends ProxyRefusal {
  constructor(reason: string, cause: unknown) {
    super(502, 'MANYPATH_RELAY_TARGET_UNREACHABLE', `the relay cannot reach the target: ${reason}`, {
      cause,
    });
  }
}

/** The target's name has no address (502 `MANYPATH_RELAY_NAME_NOT_FOUND`). */
export class NameNotFoundError extends ProxyRefusal {
  constructor(cause: unknown) {
    super(502, 'MANYPATH_RELAY_NAME_NOT_FOUND', 'the relay finds no address for the name of the target', {
      cause,
      hint: 'check the spelling of the name; the relay resolves it with the resolver of its own host',
    });
  }
}

/** The target did not answer in time (504 `MANYPATH_RELAY_TARGET_TIMEOUT`). */
export class TargetTimeoutError extends ProxyRefusal {
  constructor(milliseconds: number, cause: unknown) {
    const message = `the target did not answer the relay within ${milliseconds / 1000} s`;
    super(504, 'MANYPATH_RELAY_TARGET_TIMEOUT', message, { cause });
  }
}

/** The relay has as many connections as it may, or as its host allows (503 `MANYPATH_RELAY_BUSY`). */
export class RelayBusyError extends ProxyRefusal {
  constructor(reason: string, cause?: unknown) {
    super(503, 'MANYPATH_RELAY_BUSY', `the relay takes no more connections: ${reason}`, {
      cause,
      hint: 'try again later; on the relay, raise its limits or the number of open files it may have',
      headers: [['Retry-After', '5']],
    });
  }
}

export interface TargetDialerOptions {
  guard: TargetGuard;
  /** How long name lookup and dialling may take, in milliseconds. */
  timeoutMs: number;
  lookup: Lookup | undefined;
}

/** How a target is to be dialled. */
export interface DialContext {
  readonly signal: AbortSignal;
  /** Whether the client asks for no more than public addresses. Default false. */
  readonly publicOnly?: boolean;
  /** Bytes that the kernel may keep of it while the client does not read. Default: as many as it likes. */
  readonly aheadBytes?: number | undefined;
}

/**
 * Opens connections to targets, and never where the guard says no.
 *
 * In plain TCP: with Multipath TCP a target that announces an address (ADD_ADDR) has the kernel of this host connect there
 * itself, past the guard. A server seldom has a second way to the target, so that little is lost.
 */
export class TargetDialer {
  readonly #options: TargetDialerOptions;

  constructor(options: TargetDialerOptions) {
    this.#options = options;
  }

  /**
   * @throws TargetRefusedError `MANYPATH_RELAY_TARGET_REFUSED` (403)
   * @throws PortRefusedError `MANYPATH_RELAY_PORT_REFUSED` (403)
   * @throws NameNotFoundError `MANYPATH_RELAY_NAME_NOT_FOUND` (502)
   * @throws TargetUnreachableError `MANYPATH_RELAY_TARGET_UNREACHABLE` (502)
   * @throws TargetTimeoutError `MANYPATH_RELAY_TARGET_TIMEOUT` (504)
   * @throws RelayBusyError `MANYPATH_RELAY_BUSY` (503)
   */
  async dial({ host, port }: Authority, { signal, publicOnly, aheadBytes }: DialContext): Promise<Socket> {
    const { guard, timeoutMs, lookup } = this.#options;
    guard.checkPort({ host, port });
    try {
      const socket = await connect({
        host,
        port,
        signal,
        allowHalfOpen: true,
        timeout: timeoutMs,
        mptcp: false,
        filterAddress: address => guard.refusal(address, publicOnly),
        ...(lookup === undefined ? {} : { lookup }),
      });
      if (aheadBytes !== undefined) boundBuffers(socket, aheadBytes);
      return socket;
    } catch (error) {
      throw signal.aborted ? error : explain(error, timeoutMs);
    }
  }
}

/** Codes of the system that say that this host has run out of something. */
const shortages = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'EAGAIN']);

const reasons: Record<string, string> = {
  ECONNREFUSED: 'it refuses the connection',
  ECONNRESET: 'it broke the connection off',
  EHOSTUNREACH: 'its host is not there',
  ENETUNREACH: 'no route leads to it',
};

/** What a client is told; addresses and the state of this host stay in the cause. */
function explain(error: unknown, timeoutMs: number): unknown {
  if (error instanceof AddressRefusedError) {
    return error.cause instanceof TargetRefusedError ? error.cause : new TargetUnreachableError('', error);
  }
  const system = systemCodeOf(error);
  if (shortages.has(system)) return new RelayBusyError(`its host reports ${system}`, error);
  const code = errorCode(error);
  if (code === 'MPTCP_LOOKUP_FAILED') return new NameNotFoundError(error);
  if (code === 'MPTCP_CONNECT_TIMEOUT' || system === 'ETIMEDOUT')
    return new TargetTimeoutError(timeoutMs, error);
  return new TargetUnreachableError(reasons[system] ?? 'the connection cannot be made', error);
}

function systemCodeOf(error: unknown): string {
  if (error instanceof ConnectError) {
    const codes = error.attempts.filter(attempt => !(attempt.error instanceof TargetRefusedError));
    return codes.map(attempt => systemCodeOf(attempt.error)).find(code => code !== '') ?? '';
  }
  if (typeof error === 'object' && error !== null && 'errnoName' in error) return String(error.errnoName);
  return errorCode(error) ?? '';
}
