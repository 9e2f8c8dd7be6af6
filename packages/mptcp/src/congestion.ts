import { readFileSync } from 'node:fs';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM, SOL_TCP, TCP_CONGESTION } from './kernel/constants.ts';
import { tryLibc } from './kernel/libc.ts';

/**
 * The congestion control that aggregates best, when it is not the system's default: for `options.congestion`.
 *
 * BBR paces every subflow by what it measured last, and under Multipath TCP each measurement depends on what the
 * scheduler gave the subflow: two equal links then carry about 1.88 times one of them, unsteadily, where CUBIC carries
 * 1.95 times. So CUBIC is preferred where the default is BBR and this process may choose it.
 *
 * @returns `cubic`, or `undefined` to leave the default.
 */
export function preferredCongestion(): 'cubic' | undefined {
  if (!/^bbr/.test(systemDefault())) return undefined;
  return mayUse('cubic') ? 'cubic' : undefined;
}

function systemDefault(): string {
  try {
    return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
  } catch {
    return '';
  }
}

/** Only trying tells: the kernel allows more to CAP_NET_ADMIN, and loads modules on demand. */
function mayUse(name: string): boolean {
  const kernel = tryLibc();
  if (kernel === undefined) return false;
  const fd = kernel.trySocket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  try {
    return kernel.trySetsockopt(fd, SOL_TCP, TCP_CONGESTION, new TextEncoder().encode(name)) === 0;
  } finally {
    kernel.close(fd);
  }
}
