import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second, as Linux shows times to programs on every architecture; proc(5). */
const ticksPerSecond = 100;

/** Seconds of CPU that a process has used so far, all its threads and both user and kernel time taken together. */
export function cpuSeconds(pid: number): number {
  return Math.max(ofLivingThreads(pid), ofAllThreads(pid));
}

/** Counted in nanoseconds, but without threads that have ended. */
function ofLivingThreads(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0]);
  }
  return nanoseconds / 1e9;
}

/** Counted in ticks; what ended threads have used is in it. */
function ofAllThreads(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name in brackets may hold anything; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** As {@link cpuSeconds}, of a process and all that it has started. */
export function cpuSecondsBelow(pid: number): number {
  return [pid, ...descendants(pid)].reduce((sum, each) => sum + cpuSeconds(each), 0);
}

function descendants(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap(thread =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
  return children.flatMap(child => [child, ...descendants(child)]);
}
