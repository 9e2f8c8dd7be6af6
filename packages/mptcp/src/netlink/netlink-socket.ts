import { ManypathError } from '@manypath/core';
import { SystemCallError } from '../errors.ts';
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../kernel/constants.ts';
import { errnoName } from '../kernel/errno.ts';
import { type Libc, tryLibc, whyNoLibc } from '../kernel/libc.ts';
import { inNamespace } from '../namespace.ts';
import { decodeAcknowledgement } from './acknowledgement.ts';
import {
  AF_NETLINK,
  MSG_TRUNC,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
  SOL_NETLINK,
} from './constants.ts';
import {
  NetlinkClosedError,
  NetlinkError,
  NetlinkMalformedError,
  NetlinkPermissionError,
  NetlinkUnsupportedError,
  refusal,
} from './errors.ts';
import { type NetlinkLimits, netlinkLimits } from './limits.ts';
import { decodeMessages, encodeMessage, type NetlinkMessage } from './message.ts';

export interface NetlinkOptions {
  /** Another network namespace to look at: a process id, a path, or a name of `ip netns`. Needs CAP_SYS_ADMIN. */
  namespace?: string | number;
  limits?: NetlinkLimits;
}

/** One question to the kernel. */
export interface NetlinkRequest {
  /** What it does, for the error's message: "Could not …". */
  operation: string;
  type: number;
  /** NLM_F_CREATE and the like. */
  flags?: number;
  payload: Uint8Array;
}

/**
 * Asks the kernel and has its answer when the call returns: netlink in the kernel answers while the request is
 * being sent, so nothing here ever waits.
 */
export class NetlinkSocket {
  readonly #kernel: Libc;
  readonly #limits: Record<keyof typeof netlinkLimits, number>;
  #fd: number;
  #sequence = 0;
  #room: Buffer;

  /**
   * @param protocol NETLINK_ROUTE, NETLINK_GENERIC or NETLINK_SOCK_DIAG
   * @throws NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED` away from Linux, or where the kernel lacks the protocol
   * @throws NetlinkPermissionError `MPTCP_NETLINK_PERMISSION` where a sandbox forbids netlink
   * @throws NamespaceError `MPTCP_NAMESPACE_FAILED`
   */
  constructor(protocol: number, options: NetlinkOptions = {}) {
    this.#kernel = netlinkKernel();
    this.#limits = { ...netlinkLimits, ...options.limits };
    this.#room = Buffer.allocUnsafeSlow(this.#limits.messageBytes);
    this.#fd = openNetlink(this.#kernel, protocol, options.namespace);
    for (const wish of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      // Older kernels do not know them all; they then say less about errors and filter less.
      this.#kernel.trySetsockopt(this.#fd, SOL_NETLINK, wish, 1);
    }
  }

  /**
   * Does one thing and returns what the kernel answers besides "done"; mostly nothing.
   *
   * @param decode gets every answer; its bytes are valid only during the call
   * @throws NetlinkError `MPTCP_NETLINK_FAILED`, NetlinkPermissionError `MPTCP_NETLINK_PERMISSION`,
   *   NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED`, NetlinkMalformedError `MPTCP_NETLINK_MALFORMED`
   */
  request<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T | undefined): T[] {
    const answers = this.#exchange(request, NLM_F_ACK, decode);
    if (answers !== undefined) return answers;
    throw new NetlinkError(request.operation, 'ENOBUFS', 'the answer got lost');
  }

  /** As `request`, for what has no answer but success. */
  command(request: NetlinkRequest): void {
    this.request(request, () => undefined);
  }

  /**
   * Lists a table of the kernel: the rows for which `decode` returns something. Begun again when the table changes
   * meanwhile, so what is returned was all true at one moment.
   *
   * @throws as `request`; `MPTCP_NETLINK_FAILED` with EINTR when the table never stands still
   */
  dump<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T | undefined): T[] {
    for (let attempt = 0; attempt < this.#limits.dumpAttempts; attempt++) {
      const rows = this.#exchange(request, NLM_F_DUMP, decode);
      if (rows !== undefined) return rows;
    }
    throw new NetlinkError(request.operation, 'EINTR', 'the table changed each time it was read');
  }

  /**
   * Sends a whole message that its owner keeps, but for its sequence, and returns the one message that answers it: for questions without
   * NLM_F_ACK and NLM_F_DUMP that are asked very often. The answer is valid until the next question.
   *
   * @throws as `request`
   */
  single(operation: string, message: Uint8Array): Uint8Array {
    if (this.#fd < 0) throw new NetlinkClosedError(operation);
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    new DataView(message.buffer, message.byteOffset).setUint32(8, this.#sequence, true);
    try {
      this.#kernel.send(this.#fd, message);
      const length = this.#kernel.recv(this.#fd, this.#room, MSG_DONTWAIT | MSG_TRUNC);
      if (length === undefined) throw new NetlinkError(operation, 'ENODATA', 'the kernel did not answer');
      const answer = this.#room.subarray(0, length);
      if (length < leastAnswerBytes || answer.readUInt32LE(8) !== this.#sequence)
        throw new NetlinkMalformedError('An answer to something else');
      return answer;
    } catch (error) {
      this.#discard();
      throw ManypathError.is(error) && !(error instanceof SystemCallError)
        ? error
        : wrapped(operation, error);
    }
  }

  get closed(): boolean {
    return this.#fd < 0;
  }

  close(): void {
    if (this.#fd < 0) return;
    this.#kernel.close(this.#fd);
    this.#fd = -1;
  }

  /** One question and its answers; `undefined` when they are incomplete and the question may be asked again. */
  #exchange<T>(
    { operation, type, flags = 0, payload }: NetlinkRequest,
    kind: number,
    decode: (message: NetlinkMessage) => T | undefined,
  ): T[] | undefined {
    if (this.#fd < 0) throw new NetlinkClosedError(operation);
    this.#sequence = (this.#sequence % 0xffff_ffff) + 1;
    const sequence = this.#sequence;
    const bytes = encodeMessage({ type, flags: flags | kind | NLM_F_REQUEST, sequence, port: 0, payload });
    try {
      this.#kernel.send(this.#fd, bytes);
      return this.#collect(operation, sequence, decode);
    } catch (error) {
      this.#discard();
      if (error instanceof SystemCallError && error.errnoName === 'ENOBUFS') return undefined;
      throw ManypathError.is(error) && !(error instanceof SystemCallError)
        ? error
        : wrapped(operation, error);
    }
  }

  #collect<T>(
    operation: string,
    sequence: number,
    decode: (message: NetlinkMessage) => T | undefined,
  ): T[] | undefined {
    const found: T[] = [];
    let interrupted = false;
    let count = 0;
    for (;;) {
      const length = this.#kernel.recv(this.#fd, this.#room, MSG_DONTWAIT | MSG_TRUNC);
      if (length === undefined) throw new NetlinkError(operation, 'ENODATA', 'the kernel did not answer');
      if (length > this.#room.byteLength) {
        this.#grow(length);
        this.#discard();
        return undefined;
      }
      for (const message of decodeMessages(this.#room.subarray(0, length))) {
        if (message.sequence !== sequence || message.type === NLMSG_NOOP) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0 && message.type !== NLMSG_ERROR) interrupted = true;
        if (message.type === NLMSG_OVERRUN) return undefined;
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const { errno, message: words } = decodeAcknowledgement(message);
          if (errno !== 0 && !(interrupted && errnoName(errno) === 'EINTR'))
            throw refusal(operation, errno, words);
          return interrupted ? undefined : found;
        }
        if (++count > this.#limits.answerMessages) {
          throw new NetlinkMalformedError(`An answer of over ${this.#limits.answerMessages} messages`);
        }
        const decoded = decode(message);
        if (decoded !== undefined) found.push(decoded);
      }
    }
  }

  #grow(length: number): void {
    if (length > this.#limits.mostMessageBytes) {
      throw new NetlinkMalformedError(`A netlink message of ${length} bytes is over the limit`);
    }
    this.#room = Buffer.allocUnsafeSlow(length * 2);
  }

  /** Reads what is left of an answer that nobody wants any more, so that the next question starts clean. */
  #discard(): void {
    for (let i = 0; i < this.#limits.answerMessages; i++) {
      try {
        if (this.#kernel.recv(this.#fd, this.#room, MSG_DONTWAIT | MSG_TRUNC) === undefined) return;
      } catch {
        // An error of the answer that is being thrown away; what follows it still has to go.
      }
    }
  }
}

/** A header and an errno. */
const leastAnswerBytes = 20;

/** The C library, or the error that says why there is no netlink here. */
export function netlinkKernel(): Libc {
  const kernel = tryLibc();
  if (kernel !== undefined) return kernel;
  throw new NetlinkUnsupportedError('speak netlink', whyNoLibc() ?? 'unknown reason', {
    hint: 'It needs Linux and the npm package koffi with its prebuilt part for this machine.',
  });
}

/** A netlink descriptor that belongs to `namespace`, or to the namespace this thread is in. */
export function openNetlink(kernel: Libc, protocol: number, namespace: string | number | undefined): number {
  const open = (): number => kernel.trySocket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  const fd = namespace === undefined ? open() : inNamespace(namespace, open);
  if (fd >= 0) return fd;
  const operation = `open netlink protocol ${protocol}`;
  throw errnoName(fd) === 'EACCES'
    ? new NetlinkPermissionError(operation, 'EACCES')
    : refusal(operation, -fd);
}

function wrapped(operation: string, cause: unknown): unknown {
  if (!(cause instanceof SystemCallError)) return cause;
  if (cause.errnoName === 'EPERM') return new NetlinkPermissionError(operation, 'EPERM', undefined, cause);
  return new NetlinkError(operation, cause.errnoName, undefined, { cause });
}
