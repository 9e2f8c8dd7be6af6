import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { SystemCallError, UnsupportedError } from './errors.ts';
import {
  AF_INET,
  AF_INET6,
  IPPROTO_MPTCP,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from './kernel/constants.ts';
import { errnoName } from './kernel/errno.ts';
import { libc } from './kernel/libc.ts';

/** Where the kernel keeps which path manager new connections get, and what it calls that of user space. */
export interface PathManagerSysctl {
  /** Path below /proc/sys. */
  readonly name: string;
  readonly userspace: string;
}

const settings: readonly PathManagerSysctl[] = [
  // Linux 6.15
  { name: 'net/mptcp/path_manager', userspace: 'userspace' },
  // Linux 5.19
  { name: 'net/mptcp/pm_type', userspace: '1' },
];

/** Which sysctl it is here; `undefined` before Linux 5.19 and on other systems. */
export function pathManagerSysctl(): PathManagerSysctl | undefined {
  return settings.find(({ name }) => existsSync(fileOf(name)));
}

/**
 * Makes an MPTCP socket whose subflows are left to user space: the kernel neither joins paths nor announces addresses for it,
 * and the methods of `PathManager` that take a token steer it. Needs root in the network namespace.
 *
 * A socket takes its path manager from a sysctl of its network namespace when it is made, and keeps it. So that sysctl is
 * changed for the time of one socket(2), some microseconds, and put back before this returns.
 *
 * @returns A descriptor that the caller owns: non-blocking, close-on-exec, not bound.
 * @throws UnsupportedError `MPTCP_UNSUPPORTED` before Linux 5.19, on other systems, and while MPTCP is switched off
 * @throws SystemCallError `MPTCP_SYSTEM_CALL_FAILED`
 * @throws the EACCES or EROFS of a sysctl that may not be written
 */
export function openUserspaceSocket(family: 4 | 6): number {
  const putBack = leaveToUserspace();
  try {
    return openMptcpSocket(family);
  } finally {
    putBack();
  }
}

/**
 * Has the sockets that are made in this network namespace from now on left to user space, until what this returns is called. Keep
 * it short: other programs' connections made meanwhile get no further subflows. Needs root in the namespace.
 *
 * @param before What the sysctl of {@link pathManagerSysctl} is put back to. Default: what it is now. Who may be killed meanwhile
 *   notes it first and gives it, so that what a killed process left is not taken for what the user wants.
 * @throws UnsupportedError `MPTCP_UNSUPPORTED` before Linux 5.19, on other systems
 * @throws the EACCES or EROFS of a sysctl that may not be written
 */
export function leaveToUserspace(before?: string): () => void {
  const setting = pathManagerSysctl();
  if (setting === undefined) {
    throw new UnsupportedError('Subflows cannot be left to user space here', {
      hint: 'That needs Linux 5.19 or later.',
    });
  }
  const { name, userspace } = setting;
  const file = fileOf(name);
  const after = before ?? readFileSync(file, 'latin1').trim();
  if (after === userspace) return () => {};
  writeFileSync(file, userspace);
  return () => writeFileSync(file, after);
}

function fileOf(name: string): string {
  return `/proc/sys/${name}`;
}

/**
 * Makes an MPTCP socket under whatever path manager is set at this moment.
 *
 * @returns A descriptor that the caller owns: non-blocking, close-on-exec, not bound.
 * @throws UnsupportedError `MPTCP_UNSUPPORTED` away from Linux
 * @throws SystemCallError `MPTCP_SYSTEM_CALL_FAILED`
 */
export function openMptcpSocket(family: 4 | 6): number {
  const type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = libc().trySocket(family === 4 ? AF_INET : AF_INET6, type, IPPROTO_MPTCP);
  if (fd < 0) throw new SystemCallError('socket', -fd, errnoName(fd));
  return fd;
}
