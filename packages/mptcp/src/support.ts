import { AF_INET, IPPROTO_MPTCP, SOCK_CLOEXEC, SOCK_STREAM } from './kernel/constants.ts';
import { errnoName } from './kernel/errno.ts';
import { tryLibc } from './kernel/libc.ts';
import { type InfoReason, refusalReason } from './reasons.ts';

/**
 * Whether the kernel gives Multipath TCP sockets to this process now: asked by making one, which costs a few microseconds.
 *
 * @returns `multipath` when it does, or when it failed for a passing reason (EMFILE …); else why not.
 */
export function multipathSupport(): InfoReason {
  const libc = tryLibc();
  if (libc === undefined) return 'unsupported-platform';
  const fd = libc.trySocket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
  if (fd < 0) return refusalReason(errnoName(fd)) ?? 'multipath';
  libc.close(fd);
  return 'multipath';
}
