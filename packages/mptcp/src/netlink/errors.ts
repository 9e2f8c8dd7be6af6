import { ManypathError, type ManypathErrorOptions } from '@manypath/core';
import { errnoName } from '../kernel/errno.ts';

/** The kernel said no to a netlink request (`MPTCP_NETLINK_FAILED`). */
export class NetlinkError extends ManypathError {
  /** What was being done, e.g. `add the endpoint 192.0.2.1`. */
  readonly operation: string;
  /** The kernel's answer, e.g. `EEXIST`, `ENOENT`, `ESRCH`, `ENODEV`. */
  readonly errnoName: string;
  /** The kernel's own words, where it gave some (extended acknowledgement). */
  readonly kernelMessage: string | undefined;

  constructor(operation: string, errno: string, kernelMessage?: string, options?: ManypathErrorOptions) {
    super('MPTCP_NETLINK_FAILED', sentence(operation, errno, kernelMessage), options);
    this.operation = operation;
    this.errnoName = errno;
    this.kernelMessage = kernelMessage;
  }
}

/** The request needs a right this process does not have (`MPTCP_NETLINK_PERMISSION`). */
export class NetlinkPermissionError extends ManypathError {
  readonly operation: string;
  readonly errnoName: string;

  constructor(operation: string, errno: string, kernelMessage?: string, cause?: unknown) {
    super('MPTCP_NETLINK_PERMISSION', sentence(operation, errno, kernelMessage), {
      cause,
      hint: 'It needs CAP_NET_ADMIN in the network namespace: run it as root or through the privileged helper.',
    });
    this.operation = operation;
    this.errnoName = errno;
  }
}

/** Bytes of the kernel that are not netlink as known here (`MPTCP_NETLINK_MALFORMED`). */
export class NetlinkMalformedError extends ManypathError {
  constructor(message: string) {
    super('MPTCP_NETLINK_MALFORMED', message);
  }
}

/** This system or kernel does not have what was asked for (`MPTCP_NETLINK_UNSUPPORTED`). */
export class NetlinkUnsupportedError extends ManypathError {
  readonly operation: string;

  constructor(operation: string, reason: string, options?: ManypathErrorOptions) {
    super('MPTCP_NETLINK_UNSUPPORTED', `Could not ${operation}: ${reason}`, options);
    this.operation = operation;
  }
}

/** A socket was used after it had been closed (`MPTCP_NETLINK_CLOSED`). */
export class NetlinkClosedError extends ManypathError {
  constructor(operation: string) {
    super('MPTCP_NETLINK_CLOSED', `Could not ${operation}: this netlink socket is closed`);
  }
}

/** A value that a request cannot carry (`MPTCP_NETLINK_ARGUMENT`): a mistake of the calling program. */
export class NetlinkArgumentError extends ManypathError {
  constructor(message: string) {
    super('MPTCP_NETLINK_ARGUMENT', message);
  }
}

const unsupported = new Set([
  'EOPNOTSUPP',
  'EPROTONOSUPPORT',
  'EAFNOSUPPORT',
  'ESOCKTNOSUPPORT',
  'ENOPROTOOPT',
]);

/** The error for an errno (of either sign) with which the kernel answered. */
export function refusal(operation: string, errno: number, kernelMessage?: string): ManypathError {
  const name = errnoName(errno);
  if (name === 'EPERM') return new NetlinkPermissionError(operation, name, kernelMessage);
  if (unsupported.has(name)) {
    return new NetlinkUnsupportedError(operation, kernelMessage ?? `this kernel does not offer it (${name})`);
  }
  return new NetlinkError(operation, name, kernelMessage);
}

/** Whether `error` is the kernel's answer `name`. */
export function isRefusal(error: unknown, ...names: string[]): error is NetlinkError {
  return error instanceof NetlinkError && names.includes(error.errnoName);
}

function sentence(operation: string, errno: string, kernelMessage: string | undefined): string {
  return `Could not ${operation}: ${errno}${kernelMessage === undefined ? '' : ` (${kernelMessage})`}`;
}
