import { errorMessage, type Pairing } from '@manypath/core';
import { examineRelay } from '@manypath/gateway';
import { bad, type Finding, good } from './finding.ts';

/** How long one path has to reach the relay, in milliseconds. */
const patienceMs = 6000;

/** Whether the relay is reached over each path, takes us, and is reached by Multipath TCP. */
export async function checkRelay(pairing: Pairing, paths: readonly string[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const path of paths) findings.push(await overPath(pairing, path));
  return findings;
}

async function overPath(pairing: Pairing, path: string): Promise<Finding> {
  const id = `relay-${path}`;
  try {
    const seen = await examineRelay(pairing, path, AbortSignal.timeout(patienceMs));
    if (seen.multipath) return good(id, `over ${path} the relay is reached by Multipath TCP`);
    return bad(
      id,
      `over ${path} the relay is reached by plain TCP only: ${seen.reason}`,
      remedy(seen.reason),
    );
  } catch (error) {
    const cause = `over ${path} the relay is not reached: ${errorMessage(error)}`;
    return bad(id, cause, 'see whether it runs, and whether its port is open: manypath relay');
  }
}

function remedy(reason: string): string {
  return /switched off|without/.test(reason)
    ? 'see the findings about this kernel'
    : 'something on the way strips it, or the relay runs without it: let the relay listen on port 443';
}
