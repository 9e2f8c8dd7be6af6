import { errorCode, errorMessage, type Pairing } from '@manypath/core';
import { examineRelay } from '@manypath/gateway';
import { ConnectError } from '@manypath/mptcp';
import { bad, type Finding, good, note } from './finding.ts';

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
    if (pairing.isRelay && seen.protocol !== 'manypath/1') {
      const fix = 'install this release on the server too';
      return note(id, `over ${path} the relay is reached, and is of an older release: ${breaksOff}`, fix);
    }
    if (seen.multipath) return good(id, `over ${path} the relay is reached by Multipath TCP`);
    const cause = `over ${path} the relay is reached by plain TCP only: ${seen.reason}`;
    // That is one finding, about this kernel, and not one more for each path.
    if (/switched off|without/.test(seen.reason)) return good(id, cause);
    return bad(
      id,
      cause,
      'something on the way strips it, or the relay runs without it: let the relay listen on port 443',
    );
  } catch (error) {
    const { what, fix } = explain(error);
    return bad(id, `over ${path} ${what}: ${errorMessage(error)}`, fix);
  }
}

const breaksOff = 'what is open breaks off when its connection to the relay does';

/** A relay that is not there, one that does not want us and one that is another need three different things. */
function explain(error: unknown): { readonly what: string; readonly fix: string } {
  switch (error instanceof ConnectError ? error.systemCode : errorCode(error)) {
    case 'MANYPATH_RELAY_REFUSED':
      return {
        what: 'the relay answers, and does not take this secret',
        fix: 'pair again with the URL that manypath relay prints on the server',
      };
    case 'MANYPATH_RELAY_UNTRUSTED':
      return {
        what: 'somebody else answers in place of the relay',
        fix: 'do not pair again before you know why: a new key of the relay (see what manypath relay prints on the server), or somebody in between on this network',
      };
    case 'MPTCP_LOOKUP_FAILED':
    case 'MANYPATH_NAME_UNKNOWN':
    case 'MANYPATH_NAME_LOOKUP_FAILED':
      return {
        what: "the relay's name leads nowhere",
        fix: 'see how the name is written in the pairing, and whether this network answers for names',
      };
    case 'ECONNREFUSED':
      return {
        what: 'the server answers, and no relay listens at that port',
        fix: 'start it on the server: manypath relay',
      };
    default:
      return {
        what: 'the relay is not reached',
        fix: 'see whether it runs, and whether a firewall lets its TCP port through: manypath relay',
      };
  }
}
