import type { WaitingStatus } from './control.ts';
import { formatDuration } from './format.ts';

/** That connections wait for a network, and since when, for people. */
export function waitingWords({ connections, forMs }: WaitingStatus): string {
  const who = connections === 1 ? '1 connection waits' : `${connections} connections wait`;
  return `${who} for a network, for ${formatDuration(forMs)} by now`;
}
