import type { Socket } from 'node:net';
import { tryFdOf } from './descriptor.ts';
import { SOL_SOCKET } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';

/** SO_PEERCRED, unix(7): `struct ucred { pid, uid, gid }`. */
const SO_PEERCRED = 17;

/** Who is at the other end of a unix socket, as of when it connected. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Who is at the other end of a connected unix socket. The kernel vouches for it.
 *
 * @returns `undefined` where it does not tell: other sockets, closed ones, other systems.
 */
export function peerCredentials(socket: Socket): PeerCredentials | undefined {
  const libc = tryLibc();
  const fd = tryFdOf(socket);
  if (libc === undefined || fd === undefined) return undefined;
  const answer = Buffer.alloc(12);
  const length = libc.tryGetsockopt(fd, SOL_SOCKET, SO_PEERCRED, answer);
  if (length !== answer.length) return undefined;
  const [pid, uid, gid] = [answer.readInt32LE(0), answer.readUInt32LE(4), answer.readUInt32LE(8)];
  // TCP sockets answer with nobody.
  return pid === 0 ? undefined : { pid, uid, gid };
}
