import { readFileSync } from 'node:fs';

/** Names a process for as long as the machine runs: a pid alone is given again to another process. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat, in clock ticks since boot; proc(5). */
  startTime: string;
}

/** The process with this pid, or `undefined` when there is none. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces and parentheses itself; what follows the last one may not.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const startTime = fields[19];
    const gone = fields[0] === 'Z' || fields[0] === 'X';
    return startTime === undefined || gone ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

/** Whether the same process still runs; a zombie does not. */
export function isAlive(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTime === process.startTime;
}
