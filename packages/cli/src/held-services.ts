import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { errorCode } from '@manypath/core';

/** What Debian asks before a package's scripts start a service; see invoke-rc.d(8). */
const policyFile = '/usr/sbin/policy-rc.d';

/**
 * Installs packages without having their services started: who wants to run tests does not want a proxy on this machine.
 *
 * A policy that is already there is left as it is. Should this process be killed meanwhile, the file answers yes from then on,
 * and takes itself away the first time it is asked.
 *
 * @param file The policy's file. Default: Debian's.
 */
export function withoutServices<Result>(install: () => Result, file: string = policyFile): Result {
  const isOurs = write(file);
  try {
    return install();
  } finally {
    if (isOurs) rmSync(file, { force: true });
  }
}

function write(file: string): boolean {
  const policy = `#!/bin/sh
# While Manypath installs what its tests need (process ${process.pid}), no service is started.
[ -e /proc/${process.pid} ] && exit 101
rm -f "$0"
exit 0
`;
  try {
    writeFileSync(file, policy, { flag: 'wx', mode: 0o755 });
    // Whatever the umask.
    chmodSync(file, 0o755);
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOENT', 'EACCES', 'EROFS'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}
