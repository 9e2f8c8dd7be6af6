import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { SystemCallError } from './errors.ts';
import { SO_ERROR, SOL_SOCKET } from './kernel/constants.ts';
import { errnoName } from './kernel/errno.ts';
import { tryLibc } from './kernel/libc.ts';

/**
 * What broke a connection that seems to have ended, to be asked at its `end`. Where a reset arrives together with the last
 * bytes, libuv reads those and takes the rest for an ordinary end, so that a transfer that was broken off looks complete.
 *
 * The kernel tells it once (SO_ERROR, socket(7)).
 *
 * @returns `undefined` when it really ended, and where the kernel cannot be called.
 */
export function takeError(socket: Socket): SystemCallError | undefined {
  const fd = tryFdOf(socket);
  const errno = fd === undefined ? 0 : (tryLibc()?.tryGetsockoptInt(fd, SOL_SOCKET, SO_ERROR) ?? 0);
  return errno > 0 ? new SystemCallError('recv', errno, errnoName(errno)) : undefined;
}
