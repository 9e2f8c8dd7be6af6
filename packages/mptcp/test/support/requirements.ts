import { beforeEach } from 'vitest';
import { IPPROTO_MPTCP, SOCK_CLOEXEC, SOCK_STREAM } from '../../src/kernel/constants.ts';
import { tryLibc } from '../../src/kernel/libc.ts';

/** What must not be skipped: tests that need it then fail where it is missing. */
const demanded = (process.env.MANYPATH_REQUIRE ?? '').split(',');

/** Skips the tests around where sockets cannot be Multipath TCP. */
export function needsMptcp(): void {
  skipUnless('mptcp', hasMptcp(), 'needs Linux with Multipath TCP switched on');
}

/** Skips the tests around where network namespaces cannot be made. */
export function needsLab(): void {
  skipUnless('lab', process.getuid?.() === 0, 'needs root, to make network namespaces');
}

function skipUnless(name: string, there: boolean, reason: string): void {
  beforeEach(context => context.skip(!there && !demanded.includes(name), reason));
}

export function hasMptcp(): boolean {
  const libc = tryLibc();
  const fd = libc?.trySocket(2, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP) ?? -1;
  if (fd >= 0) libc?.close(fd);
  return fd >= 0;
}
