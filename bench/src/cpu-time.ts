import { readdirSync, readFileSync } from 'node:fs';

/** Seconds of CPU that a process has used so far, all its threads and both user and kernel time taken together. */
export function cpuSeconds(pid: number): number {
  // schedstat counts nanoseconds, where stat has hundredths of a second; proc(5).
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  }
  return nanoseconds / 1e9;
}
