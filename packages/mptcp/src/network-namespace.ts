import { closeSync } from 'node:fs';
import { AF_INET, SO_NETNS_COOKIE, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';

/**
 * A number that names this thread's network namespace, and no other one until the machine starts again (`SO_NETNS_COOKIE`,
 * Linux 5.14). The inode below /proc/self/ns is given again, to the next namespace that is made.
 *
 * @returns `undefined` where the kernel does not tell.
 */
export function networkNamespaceCookie(): bigint | undefined {
  const libc = tryLibc();
  if (libc === undefined) return undefined;
  const fd = libc.trySocket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return undefined;
  try {
    const answer = Buffer.alloc(8);
    const length = libc.tryGetsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, answer);
    if (length !== answer.length) return undefined;
    return new BigUint64Array(answer.buffer, answer.byteOffset, 1)[0];
  } finally {
    closeSync(fd);
  }
}
