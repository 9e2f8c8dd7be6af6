import { errorCode } from '@manypath/core';
import { connect, info } from '@manypath/mptcp';
import type { Path } from '../discovery/path.ts';
import type { Evidence } from './judge.ts';
import type { SizeQuestion } from './packet-sizes.ts';

/** What is asked for a sign of life: anything that answers a TCP SYN, with a connection or with a refusal. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
}

/** How a probe is made. */
export interface ProbeOptions {
  /** When silence counts as an answer, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of a connection to the target, not to a router. */
  readonly onConnected?: (question: SizeQuestion) => void;
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
 */
export async function probe(
  { name, addresses }: Path,
  target: ProbeTarget | undefined,
  { timeoutMs, signal, onConnected }: ProbeOptions,
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
    const heard = answer();
    const [leg] = info(socket).subflows;
    if (target !== undefined && leg !== undefined) {
      onConnected?.({ address: leg.remote.address, segmentBytes: leg.segmentSize });
    }
    socket.destroy();
    return heard;
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
