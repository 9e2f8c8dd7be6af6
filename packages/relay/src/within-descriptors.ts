import { readFileSync } from 'node:fs';
import type { RelayLimits } from './limits.ts';

/** The share of all descriptors that strangers may have in either of their two pools: half are left to users and targets. */
const strangersShare = 4;

/** `limits` with pools for strangers that leave users room where a process may have few descriptors (`ulimit -n`). */
export function withinDescriptors(limits: RelayLimits, descriptors = descriptorLimit()): RelayLimits {
  const most = Math.max(1, Math.floor(descriptors / strangersShare));
  return {
    ...limits,
    arrivals: Math.min(limits.arrivals, most),
    strangers: Math.min(limits.strangers, most),
  };
}

/** How many descriptors this process may have; Infinity where that is not known. */
function descriptorLimit(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
