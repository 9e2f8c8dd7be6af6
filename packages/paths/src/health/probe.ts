import { errorCode } from '@manypath/core';
import { connect } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import type { Evidence } from './judge.ts';

/** What is asked for a sign of life: anything that answers a TCP SYN, with a connection or with a refusal. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
}

/** The port asked on a path's own router when there is nothing better: a refusal is an answer too. */
const routerPort = 53;

/** After so long the kernel sends a SYN again, in milliseconds (RFC 6298 §2): the answer tells no round trip any more. */
const synRetransmitMs = 950;

/**
 * Asks over one path whether somebody is there: a TCP handshake with the target, closed at once. It needs no privilege, passes
 * where ICMP does not, and costs some 300 bytes.
 *
 * @param target Usually the relay; default: the path's own router. Where there is neither, nobody is asked.
 * @param timeoutMs When silence counts as an answer.
 */
export async function probe(
  { name, addresses }: Path,
  target: ProbeTarget | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Evidence | undefined> {
  const [first] = addresses;
  if (first === undefined) return undefined;
  const asked = target ?? (first.gateway === null ? undefined : { host: first.gateway, port: routerPort });
  if (asked === undefined) return undefined;
  const startedAt = performance.now();
  const answer = (): Evidence => {
    const tookMs = performance.now() - startedAt;
    return { kind: 'answer', rttMs: tookMs < synRetransmitMs ? tookMs : undefined };
  };
  try {
    const socket = await connect({ ...asked, device: name, mptcp: false, timeout: timeoutMs, signal });
    socket.on('error', () => {});
    socket.destroy();
    return answer();
  } catch (error) {
    if (signal.aborted) return undefined;
    if (isRefusal(error)) return answer();
    return { kind: 'silence' };
  }
}

/** A RST is as good a sign of life as a connection. */
function isRefusal(error: unknown): boolean {
  if (errorCode(error) === 'ECONNREFUSED' || errorCode(error) === 'ECONNRESET') return true;
  const attempts = (error as { attempts?: readonly { error: unknown }[] }).attempts ?? [];
  return attempts.some(attempt => ['ECONNREFUSED', 'ECONNRESET'].includes(errorCode(attempt.error) ?? ''));
}
