import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { SOL_SOCKET } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';

export const SO_LINGER = 13;
/** `struct linger {1, 0}`: close sends RST and drops what is unsent; socket(7). */
export const lingerNotAtAll = new Uint8Array(new Int32Array([1, 0]).buffer);

/**
 * Destroys a socket so that its peer sees a reset rather than an ordinary end, also with TLS on top, where
 * Node's own `resetAndDestroy` refuses.
 */
export function resetSocket(socket: Socket): void {
  if (socket.destroyed) return;
  const fd = tryFdOf(socket);
  if (fd !== undefined) tryLibc()?.trySetsockopt(fd, SOL_SOCKET, SO_LINGER, lingerNotAtAll);
  socket.destroy();
}
