import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { tryLibc } from './kernel/libc.ts';

const MSG_DONTWAIT = 0x40;
const pieceBytes = 65_536;

/**
 * What has arrived on a socket and was not read yet. Whoever answers early and closes resets the connection, and Node closes a
 * socket on which a write failed without reading the answer: it is still there in the callback of that write.
 *
 * Nothing may lie in Node's own buffers, or it would come out of order.
 *
 * @param most Bytes that are taken at most.
 * @returns Nothing where there is none, for a closed socket, and where the kernel cannot be called.
 */
export function takeUnread(socket: Socket, most: number): Buffer {
  const fd = tryFdOf(socket);
  const kernel = tryLibc();
  const pieces: Buffer[] = [];
  let taken = 0;
  while (fd !== undefined && kernel !== undefined && taken < most) {
    const piece = Buffer.allocUnsafe(Math.min(pieceBytes, most - taken));
    const length = kernel.tryRecv(fd, piece, MSG_DONTWAIT);
    if (length <= 0) break;
    pieces.push(piece.subarray(0, length));
    taken += length;
  }
  return Buffer.concat(pieces);
}
