import * as net from 'node:net';
import { fdOf } from './descriptor.ts';
import { NoDescriptorError, SocketBusyError } from './errors.ts';
import { libc } from './kernel/libc.ts';
import { baseHandle, recall, remember } from './memory.ts';

export interface DuplicateOptions {
  /** As in `net.Socket`: read into one static buffer instead of emitting `data`. */
  onread?: net.OnReadOpts;
  /** Default false, as in `net`. */
  allowHalfOpen?: boolean;
}

/**
 * A new `net.Socket` for the connection of `socket`, which is destroyed. The connection itself goes on.
 *
 * Node takes `onread` only when a socket is constructed; this is the way to it for accepted sockets. Bytes that
 * `socket` has read and not delivered come first out of the new one, before anything is read from the kernel.
 * Reading begins with the first `data` listener, `resume()` or `read()`, as on any new socket.
 *
 * @throws SocketBusyError `MPTCP_SOCKET_BUSY`, written bytes still wait in `socket`
 * @throws NoDescriptorError `MPTCP_NO_DESCRIPTOR`, `socket` is closed, or has TLS on top
 * @throws UnsupportedError `MPTCP_UNSUPPORTED`, not on Linux
 */
export function duplicateSocket(socket: net.Socket, options: DuplicateOptions = {}): net.Socket {
  const kernel = libc();
  if (baseHandle(socket) !== (socket as { _handle?: object | null })._handle) {
    throw new NoDescriptorError(
      'A TLS socket cannot be duplicated: its bytes are not those of the descriptor',
    );
  }
  const fd = fdOf(socket);
  if (socket.writableLength > 0 || socket.connecting) {
    throw new SocketBusyError(
      `The socket still has ${socket.writableLength} bytes to write, or is not connected`,
    );
  }
  const unread: Buffer | string | null = socket.readableLength > 0 ? socket.read() : null;
  const leftover =
    typeof unread === 'string' ? Buffer.from(unread, socket.readableEncoding ?? 'utf8') : unread;
  const { protocol, plainReason, wasMultipath } = recall(socket);
  const own = kernel.dup(fd);
  socket.on('error', () => {});
  socket.destroy();
  const { onread, allowHalfOpen = false } = options;
  const settings = { fd: own, manualStart: true, allowHalfOpen, ...(onread === undefined ? {} : { onread }) };
  const twin = new net.Socket(settings as net.SocketConstructorOpts);
  remember(twin, { protocol, plainReason, wasMultipath });
  if (leftover !== null) deliverFirst(twin, leftover, onread);
  return twin;
}

function deliverFirst(socket: net.Socket, leftover: Buffer, onread: net.OnReadOpts | undefined): void {
  if (onread === undefined) {
    socket.unshift(leftover);
    return;
  }
  let rest = leftover;
  socket.resume = () => {
    while (rest.length > 0) {
      const buffer = typeof onread.buffer === 'function' ? onread.buffer() : onread.buffer;
      const part = rest.subarray(0, buffer.byteLength);
      rest = rest.subarray(part.length);
      buffer.set(part);
      if (onread.callback(part.length, buffer) === false || socket.destroyed) return socket;
    }
    socket.resume = net.Socket.prototype.resume;
    return socket.resume();
  };
}
