import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { SO_RCVBUFFORCE, SOL_SOCKET } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';

/**
 * Lets a connection have so much on its way to it from the beginning. The kernel begins with a small receive buffer and lets
 * it grow with what a program reads in a round trip. Over unequal paths that is too little for long: what came over the fast
 * path waits in the buffer for what is still under way on the slow one, and the sender is held up meanwhile.
 *
 * The buffer then has this size for good. Memory is taken only for what waits in it.
 *
 * @param bytes Of payload; the kernel counts twice as much for its own needs.
 * @returns Whether it was done. That takes CAP_NET_ADMIN; without it the kernel goes on sizing the buffer as before, which is
 * better than the small fixed one that it would allow.
 */
export function widenReceiveBuffer(socket: Socket, bytes: number): boolean {
  const libc = tryLibc();
  const fd = tryFdOf(socket);
  if (libc === undefined || fd === undefined) return false;
  return libc.trySetsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes) >= 0;
}
