import * as net from 'node:net';
import { MSG_DONTWAIT, SOL_SOCKET } from './kernel/constants.ts';
import type { Libc, RawPoll } from './kernel/libc.ts';
import type { SocketAddress } from './kernel/sockaddr.ts';
import { remember, type SocketMemory } from './memory.ts';
import { lingerNotAtAll, SO_LINGER } from './reset-socket.ts';

const MSG_PEEK = 2;

/**
 * A connection that was accepted and that Node does not know yet: a descriptor and little else, so that it can be looked at and
 * refused at a twentieth of what a socket costs. It has to be `reset` or made a socket.
 */
export class AcceptedConnection {
  /** Address and port of the other end. */
  readonly peer: SocketAddress;
  readonly #libc: Libc;
  readonly #about: Partial<SocketMemory>;
  #fd: number;
  #watch: RawPoll | undefined;

  constructor(libc: Libc, fd: number, peer: SocketAddress, about: Partial<SocketMemory>) {
    this.#libc = libc;
    this.#fd = fd;
    this.peer = peer;
    this.#about = about;
  }

  /** Whether it still belongs to this object. */
  get isOpen(): boolean {
    return this.#fd >= 0;
  }

  /**
   * Copies what has come into `buffer`, and leaves it where it is.
   *
   * @returns How many bytes; 0 once the other end has closed or broken it off, `undefined` while nothing has come.
   */
  peek(buffer: Uint8Array): number | undefined {
    if (!this.isOpen) return 0;
    const count = this.#libc.tryRecv(this.#fd, buffer, MSG_PEEK | MSG_DONTWAIT);
    if (count >= 0) return count;
    return isAgain(count) ? undefined : 0;
  }

  /** Calls `callback` once, when something has come or the other end has closed, in a turn of its own. */
  whenReadable(callback: () => void): void {
    this.#unwatch();
    if (!this.isOpen) return;
    this.#watch = this.#libc.poll(this.#fd, { readable: true }, () => {
      this.#unwatch();
      setImmediate(callback);
    });
  }

  /** Closes it with a reset, so that the kernel keeps nothing of it. */
  reset(): void {
    if (!this.isOpen) return;
    const fd = this.#take();
    this.#libc.trySetsockopt(fd, SOL_SOCKET, SO_LINGER, lingerNotAtAll);
    this.#libc.close(fd);
  }

  /** The socket of this connection, with all that has come still to be read. The descriptor is the socket's from then on. */
  toSocket(options: { allowHalfOpen?: boolean } = {}): net.Socket {
    const { allowHalfOpen = false } = options;
    const settings = { fd: this.#take(), manualStart: true, allowHalfOpen };
    const socket = new net.Socket(settings as net.SocketConstructorOpts);
    remember(socket, this.#about);
    return socket;
  }

  #take(): number {
    this.#unwatch();
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  #unwatch(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }
}

const EAGAIN = 11;

function isAgain(result: number): boolean {
  return result === -EAGAIN;
}
