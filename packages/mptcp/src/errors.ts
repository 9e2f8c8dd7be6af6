import { ManypathError, type ManypathErrorOptions } from '@manypath/core';

/**
 * A call into the kernel was refused (`MPTCP_SYSTEM_CALL`).
 *
 * Public functions wrap it in an error that says what they were doing; it is then their `cause`.
 */
export class SystemCallError extends ManypathError {
  /** The system call, e.g. `setsockopt`. */
  readonly syscall: string;
  /** The kernel's error number, positive. */
  readonly errno: number;
  /** Its name, e.g. `EPERM`. */
  readonly errnoName: string;

  constructor(syscall: string, errno: number, errnoName: string, detail?: string) {
    super('MPTCP_SYSTEM_CALL', `${syscall}${detail === undefined ? '' : ` ${detail}`}: ${errnoName}`);
    this.syscall = syscall;
    this.errno = errno;
    this.errnoName = errnoName;
  }
}

/** What was asked for needs Linux and koffi, and one of them is not there (`MPTCP_UNSUPPORTED`). */
export class UnsupportedError extends ManypathError {
  constructor(message: string, options?: ManypathErrorOptions) {
    super('MPTCP_UNSUPPORTED', message, options);
  }
}

/** An option has a value that cannot be meant (`MPTCP_ARGUMENT_INVALID`): a mistake of the calling program. */
export class ArgumentError extends ManypathError {
  constructor(message: string, options?: ManypathErrorOptions) {
    super('MPTCP_ARGUMENT_INVALID', message, options);
  }
}

/** A name has no address, or the resolver did not answer (`MPTCP_LOOKUP_FAILED`). `cause` is the resolver's error. */
export class LookupError extends ManypathError {
  readonly host: string;

  constructor(host: string, cause?: unknown) {
    super('MPTCP_LOOKUP_FAILED', `No address found for ${host}`, {
      cause,
      hint: 'Check the spelling of the name, and that this machine can resolve names.',
    });
    this.host = host;
  }
}

/** One address that was dialled in vain. */
export interface FailedAttempt {
  address: string;
  error: Error;
}

/**
 * No address could be reached (`MPTCP_CONNECT_FAILED`). `cause` is an `AggregateError` with one error for
 * each address, in the order they were dialled.
 */
export class ConnectError extends ManypathError {
  readonly attempts: readonly FailedAttempt[];
  /** The system's code of the first attempt, e.g. `ECONNREFUSED`, if it has one. */
  readonly systemCode: string | undefined;

  constructor(target: string, attempts: readonly FailedAttempt[]) {
    const told = attempts.map(({ address, error }) => `${address} (${codeOf(error) ?? error.message})`);
    super('MPTCP_CONNECT_FAILED', `Could not connect to ${target}: ${told.join(', ')}`, {
      cause: aggregate(attempts),
      hint: 'The other side is down, refuses the port, or no path leads there.',
    });
    this.attempts = attempts;
    const first = attempts.find(({ error }) => codeOf(error) !== undefined);
    this.systemCode = first && codeOf(first.error);
  }
}

/** `filterAddress` refused every address of the target (`MPTCP_ADDRESS_REFUSED`). `cause` is the filter's first error. */
export class AddressRefusedError extends ManypathError {
  readonly attempts: readonly FailedAttempt[];

  constructor(target: string, attempts: readonly FailedAttempt[]) {
    super('MPTCP_ADDRESS_REFUSED', `Every address of ${target} is refused by the address filter`, {
      cause: attempts[0]?.error,
    });
    this.attempts = attempts;
  }
}

/** Nothing answered within `timeout` (`MPTCP_CONNECT_TIMEOUT`). Attempts that had failed by then are in `cause`. */
export class ConnectTimeoutError extends ManypathError {
  readonly attempts: readonly FailedAttempt[];

  constructor(target: string, milliseconds: number, attempts: readonly FailedAttempt[]) {
    super('MPTCP_CONNECT_TIMEOUT', `No answer from ${target} within ${milliseconds} ms`, {
      cause: attempts.length === 0 ? undefined : aggregate(attempts),
      hint: 'The other side or the path to it swallows packets: try another path, or a longer timeout.',
    });
    this.attempts = attempts;
  }
}

/** A socket could not be bound to the address, port or device asked for (`MPTCP_BIND_FAILED`). */
export class BindError extends ManypathError {
  /** The kernel's answer, e.g. `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, `ENODEV`. */
  readonly errnoName: string;

  constructor(place: string, errnoName: string, cause: unknown) {
    super('MPTCP_BIND_FAILED', `Could not bind to ${place}: ${errnoName}`, {
      cause,
      ...hinted(bindHint, errnoName),
    });
    this.errnoName = errnoName;
  }
}

const bindHint: Record<string, string> = {
  EADDRINUSE: 'Another program listens there: stop it, or choose another port.',
  EADDRNOTAVAIL: 'No interface of this machine has that address.',
  EACCES: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE.',
  EPERM: 'The socket is tied to another device already; changing that needs CAP_NET_RAW.',
  ENODEV: 'There is no network device of that name.',
};

/** The kernel refused a socket option (`MPTCP_OPTION_FAILED`). */
export class OptionError extends ManypathError {
  /** The kernel's answer, e.g. `ENOPROTOOPT` where MPTCP does not carry the option, `EPERM` without the right. */
  readonly errnoName: string;

  constructor(option: string, value: string | number, errnoName: string, cause?: unknown) {
    super('MPTCP_OPTION_FAILED', `Could not set ${option} to ${value}: ${errnoName}`, {
      cause,
      ...hinted(optionHint, errnoName),
    });
    this.errnoName = errnoName;
  }
}

const optionHint: Record<string, string> = {
  ENOPROTOOPT: 'This kernel does not offer the option on Multipath TCP sockets.',
  EOPNOTSUPP: 'This kernel does not offer the option on Multipath TCP sockets.',
  EPERM: 'The option needs CAP_NET_ADMIN.',
  ENOENT: 'The kernel has no such module.',
};

/** A closed socket, or a stream that is none, was given where an open socket is needed (`MPTCP_NO_DESCRIPTOR`). */
export class NoDescriptorError extends ManypathError {
  constructor(message: string) {
    super('MPTCP_NO_DESCRIPTOR', message);
  }
}

/** A socket cannot be taken over, because bytes are still on their way in it (`MPTCP_SOCKET_BUSY`). */
export class SocketBusyError extends ManypathError {
  constructor(message: string) {
    super('MPTCP_SOCKET_BUSY', message, { hint: 'Wait for the callback of the last write first.' });
  }
}

/** A network namespace could not be entered (`MPTCP_NAMESPACE_FAILED`). */
export class NamespaceError extends ManypathError {
  constructor(place: string, cause: unknown) {
    super('MPTCP_NAMESPACE_FAILED', `Could not enter the network namespace ${place}`, {
      cause,
      hint: 'It must exist, and entering it needs CAP_SYS_ADMIN there and here.',
    });
  }
}

function aggregate(attempts: readonly FailedAttempt[]): AggregateError {
  const errors = attempts.map(({ error }) => error);
  return new AggregateError(errors, errors.map(({ message }) => message).join('; '));
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('errnoName' in error && typeof error.errnoName === 'string') return error.errnoName;
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function hinted(hints: Record<string, string>, key: string): { hint?: string } {
  const hint = hints[key];
  return hint === undefined ? {} : { hint };
}
