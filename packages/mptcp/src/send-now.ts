import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { tryLibc } from './kernel/libc.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/**
 * Gives bytes to the kernel at once, past Node's streams: they need not stay as they are afterwards. A plain socket only, TCP or MPTCP.
 *
 * @returns How many it took. The rest is for `write`, which also finds out what is wrong where there is something; so is everything while
 *   something waits to be written, and where the kernel cannot be called.
 */
export function sendNow(socket: Socket, bytes: Uint8Array): number {
  if (socket.writableLength > 0 || socket.destroyed || socket.connecting || socket.writableEnded) return 0;
  const fd = tryFdOf(socket);
  if (fd === undefined) return 0;
  return Math.max(0, tryLibc()?.trySend(fd, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) ?? 0);
}
