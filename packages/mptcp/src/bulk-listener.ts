import * as net from 'node:net';
import { AcceptedConnection } from './accepted-connection.ts';
import { bindListener, checkPort, type ListenOptions, placeName, resolveBindHost } from './bind.ts';
import { type Libc, libc, type PollWatch, tryLibc } from './kernel/libc.ts';
import { decodeSockaddr, type SocketAddress } from './kernel/sockaddr.ts';
import { mptcpLimits } from './limits.ts';
import type { ListenerInfo } from './listen.ts';
import { bindError } from './open-socket.ts';

export interface BulkListenOptions extends Omit<ListenOptions, 'signal'> {
  /** Connections taken in one turn of the event loop at most. Default 512. */
  perTurn?: number;
  /** Gets each connection, which it then owns. Nothing may throw in it. */
  onConnection: (connection: AcceptedConnection) => void;
}

/**
 * A listening socket whose connections are taken many at a time.
 *
 * A server of Node takes one connection in a turn of the event loop, and makes a socket of it. Where strangers connect faster, the
 * kernel's queue fills and everybody waits. This one empties the queue, and leaves it to its owner which connections are worth
 * a socket.
 */
export class BulkListener {
  /** Where it listens. */
  readonly address: SocketAddress;
  readonly info: ListenerInfo;
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #options: BulkListenOptions;
  readonly #peer = Buffer.allocUnsafeSlow(128);
  readonly #watch: PollWatch;
  /** A descriptor that is given up to take and refuse a connection when there is no other left. */
  #spare: number;
  #isOpen = true;

  /** Whether it can be had here: on Linux, with koffi. */
  static get isSupported(): boolean {
    return tryLibc() !== undefined;
  }

  private constructor(kernel: Libc, fd: number, about: ListenerInfo, options: BulkListenOptions) {
    this.#libc = kernel;
    this.#fd = fd;
    this.info = about;
    this.#options = options;
    this.#spare = kernel.dup(fd);
    this.address = decodeSockaddr(kernel.getsockname(fd)) ?? { address: '', port: 0 };
    this.#watch = kernel.pollReadable(fd, () => this.#acceptMany());
  }

  /**
   * @throws BindError `MPTCP_BIND_FAILED`, e.g. EADDRINUSE
   * @throws LookupError `MPTCP_LOOKUP_FAILED`
   * @throws OptionError `MPTCP_OPTION_FAILED`, no such `congestion` control
   * @throws ArgumentError `MPTCP_ARGUMENT_INVALID`
   * @throws UnsupportedError `MPTCP_UNSUPPORTED`, not on Linux, or koffi is missing
   */
  static async listen(options: BulkListenOptions): Promise<BulkListener> {
    const { port = 0, backlog = mptcpLimits.backlog } = options;
    checkPort(port);
    const kernel = libc();
    let host = options.host?.replace(/^\[(.*)\]$/, '$1');
    if (host !== undefined && net.isIP(host) === 0) host = await resolveBindHost(host);
    const { fd, protocol, plainReason: reason } = bindListener(kernel, host, port, options);
    try {
      kernel.listen(fd, backlog);
      return new BulkListener(kernel, fd, { protocol, reason }, options);
    } catch (error) {
      kernel.close(fd);
      throw bindError(placeName(host, port), error);
    }
  }

  /** Takes no more connections; those that wait in the kernel are reset by it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#watch.close();
    this.#libc.close(this.#fd);
    if (this.#spare >= 0) this.#libc.close(this.#spare);
  }

  #acceptMany(): void {
    const { perTurn = mptcpLimits.acceptsPerTurn, onConnection } = this.#options;
    if (this.#spare < 0) this.#takeSpare();
    for (let taken = 0; taken < perTurn && this.#isOpen; taken++) {
      const fd = this.#libc.tryAccept(this.#fd, this.#peer);
      if (fd === -EMFILE || fd === -ENFILE) {
        if (!this.#refuseOne()) return;
      } else if (fd < 0) {
        if (waits.has(-fd)) return;
      } else {
        onConnection(this.#accepted(fd));
      }
    }
  }

  #accepted(fd: number): AcceptedConnection {
    const { protocol, reason } = this.info;
    const isMultipath = protocol === 'mptcp';
    const peer = decodeSockaddr(this.#peer) ?? { address: '', port: 0 };
    // Which protocol it is, is read when needed: an MPTCP listener hands out TCP to those who ask for it.
    const about = {
      protocol: isMultipath ? undefined : 'tcp',
      plainReason: reason,
      wasMultipath: isMultipath,
    } as const;
    return new AcceptedConnection(this.#libc, fd, peer, about);
  }

  /** Takes one connection with the spare descriptor, and resets it, so that it does not wait for nothing. @returns Whether it could. */
  #refuseOne(): boolean {
    if (this.#spare < 0) return false;
    this.#libc.close(this.#spare);
    const fd = this.#libc.tryAccept(this.#fd, this.#peer);
    if (fd >= 0) this.#accepted(fd).reset();
    this.#takeSpare();
    return fd >= 0;
  }

  #takeSpare(): void {
    try {
      this.#spare = this.#libc.dup(this.#fd);
    } catch {
      // Somebody else has the last one; it is tried again next time.
      this.#spare = -1;
    }
  }
}

const EMFILE = 24;
const ENFILE = 23;
/** EAGAIN, and what means that the listener itself is of no more use: EBADF, EINVAL. All else is about one connection. */
const waits = new Set([11, 9, 22]);
