import { IPPROTO_MPTCP, SOCK_CLOEXEC, SOCK_STREAM } from '../../src/kernel/constants.ts';
import { tryLibc } from '../../src/kernel/libc.ts';

const demanded = (process.env.MANYPATH_REQUIRE ?? '').split(',');

/** Whether tests that need Multipath TCP are to be skipped: it is missing, and nobody demanded it. */
export const withoutMptcp = !hasMptcp() && !demanded.includes('mptcp');

/** Whether tests that need network namespaces are to be skipped: we are not root, and nobody demanded them. */
export const withoutLab = process.getuid?.() !== 0 && !demanded.includes('lab');

function hasMptcp(): boolean {
  const libc = tryLibc();
  const fd = libc?.trySocket(2, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP) ?? -1;
  if (fd >= 0) libc?.close(fd);
  return fd >= 0;
}
