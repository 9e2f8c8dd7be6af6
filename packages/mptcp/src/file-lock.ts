import { SystemCallError } from './errors.ts';
import { errnoName } from './kernel/errno.ts';
import { tryLibc } from './kernel/libc.ts';

/** flock(2), sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** What file systems answer that know no locks, or none of folders, e.g. NFS. */
const unsupported = new Set(['EBADF', 'EINVAL', 'ENOLCK', 'ENOSYS', 'EOPNOTSUPP']);

/**
 * Tries to lock an open file or folder against all other processes and against its other descriptors in this one, without
 * waiting (flock(2), exclusive). The lock goes with the descriptor, however that is closed: also when the process is killed.
 *
 * @returns `busy` while another one has it; `unsupported` where there are no such locks.
 * @throws SystemCallError `MPTCP_SYSTEM_CALL_FAILED`
 */
export function tryLockFile(fd: number): 'locked' | 'busy' | 'unsupported' {
  const result = tryLibc()?.tryFlock(fd, LOCK_EX | LOCK_NB);
  if (result === undefined) return 'unsupported';
  if (result === 0) return 'locked';
  const name = errnoName(result);
  // A signal came first: the next try tells.
  if (name === 'EAGAIN' || name === 'EINTR') return 'busy';
  if (unsupported.has(name)) return 'unsupported';
  throw new SystemCallError('flock', -result, name);
}
