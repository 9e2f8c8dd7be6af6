import { silentLogger } from '@manypath/core';
import { countLeftovers, undoLeftovers } from '@manypath/paths';
import { bad, type Finding, good } from './finding.ts';

/** What a killed process has left in the kernel. */
export function checkLeftovers(stateDir: string): Finding {
  const count = countLeftovers(stateDir);
  if (count === 0) return good('leftovers', 'no killed process has left anything set up here');
  const what = count === 1 ? 'one setting' : `${count} settings`;
  return bad('leftovers', `a Manypath that was killed left ${what} here`, 'sudo manypath doctor --fix', () =>
    undoLeftovers({ stateDir, logger: silentLogger }),
  );
}
