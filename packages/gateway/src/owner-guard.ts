import type { Socket } from 'node:net';
import { errorCode, errorMessage, type Logger, unmappedAddress } from '@manypath/core';
import { DiagReader } from '@manypath/mptcp';

/** `same-user`: connections are checked; `unavailable`: they should be and cannot; `none`: they need not be. */
export type GuardMode = 'same-user' | 'unavailable' | 'none';

/** Tells whose a connection is; see `DiagReader.ownerUid`. */
type OwnerReader = Pick<DiagReader, 'ownerUid' | 'close'>;

export interface OwnerGuardOptions {
  /** Default: the user of this process. */
  readonly uid?: number | undefined;
  /** Opens what asks the kernel. */
  readonly open?: () => OwnerReader;
}

/**
 * Lets only the user who started the gateway, and root, use its proxy port: a port on loopback is open to everybody on
 * the machine, and whoever used it would act in the user's name. The kernel tells whose the other end of a
 * connection is (sock_diag(7)), which needs no privilege and takes some microseconds.
 *
 * A kernel that never tells leaves the port open to everybody (`unavailable`). One that does and fails once is asked again,
 * and while it fails nobody is let in.
 */
export class OwnerGuard {
  readonly #logger: Logger;
  readonly #uid: number | undefined;
  readonly #open: () => OwnerReader;
  #reader: OwnerReader | undefined;
  #mode: GuardMode;
  #isFailing = false;

  constructor(wanted: 'same-user' | 'none', logger: Logger, options: OwnerGuardOptions = {}) {
    this.#logger = logger;
    this.#uid = options.uid ?? process.getuid?.();
    this.#open = options.open ?? (() => DiagReader.open());
    this.#mode = wanted;
    if (wanted === 'same-user' && !this.#kernelTells()) this.#mode = 'unavailable';
  }

  get mode(): GuardMode {
    return this.#mode;
  }

  /** Whether this accepted connection may use the proxy. */
  admits(accepted: Socket): boolean {
    if (this.#mode !== 'same-user') return true;
    const { localAddress, localPort, remoteAddress, remotePort } = accepted;
    if (localAddress === undefined || remoteAddress === undefined) return false;
    // An IPv4 client of an IPv6 listener is an IPv4 socket itself.
    const owner = this.#ownerOf(
      { address: unmappedAddress(remoteAddress), port: remotePort ?? 0 },
      { address: unmappedAddress(localAddress), port: localPort ?? 0 },
    );
    return owner === 0 || (owner !== undefined && owner === this.#uid);
  }

  close(): void {
    this.#reader?.close();
    this.#reader = undefined;
  }

  /** Asks about a connection that does not exist: only a kernel that cannot tell refuses to answer that. */
  #kernelTells(): boolean {
    try {
      this.#reader = this.#open();
      this.#reader.ownerUid({ address: '127.0.0.1', port: 1 }, { address: '127.0.0.1', port: 1 });
      return true;
    } catch (error) {
      this.close();
      if (!neverTells(error)) return true;
      this.#logger.warn(
        { reason: errorMessage(error) },
        'cannot tell whose connections are: every user of this machine can use the proxy port',
      );
      return false;
    }
  }

  /** @returns `undefined` when nobody owns it, or when the kernel does not tell. */
  #ownerOf(...ends: Parameters<OwnerReader['ownerUid']>): number | undefined {
    for (const isLast of [false, true]) {
      try {
        this.#reader ??= this.#open();
        const owner = this.#reader.ownerUid(...ends);
        this.#isFailing = false;
        return owner;
      } catch (error) {
        // An answer that comes late would be taken for that to the next question.
        this.close();
        if (isLast) this.#complain(error);
      }
    }
    return undefined;
  }

  /** Said once, and not of each connection. */
  #complain(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#logger.warn(
      { reason: errorMessage(error) },
      'cannot tell whose connections are right now: they are refused until the kernel answers again',
    );
  }
}

/** Codes of a system without sock_diag, or whose sandbox does not let this process at it. */
const unsupported = new Set(['MPTCP_NETLINK_UNSUPPORTED', 'MPTCP_NETLINK_PERMISSION', 'MPTCP_UNSUPPORTED']);
const unsupportedErrnos = new Set([
  'EPROTONOSUPPORT',
  'EAFNOSUPPORT',
  'EOPNOTSUPP',
  'ENOSYS',
  'EPERM',
  'EACCES',
]);

function neverTells(error: unknown): boolean {
  const errno = (error as { errnoName?: unknown } | null)?.errnoName;
  return unsupported.has(errorCode(error) ?? '') || unsupportedErrnos.has(String(errno));
}
