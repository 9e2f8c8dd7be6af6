import type { Socket } from 'node:net';
import { formatAuthority, type SubflowStatus } from '@manypath/core';
import { info, reasonText, type SubflowInfo } from '@manypath/mptcp';

/** What the kernel says of a connection, in the words of the status document. */
export interface SocketStatus {
  /** Whether it is Multipath TCP. */
  readonly mptcp: boolean;
  /** Whether it has subflows from two addresses of this host or more. */
  readonly multipath: boolean;
  /** Why it is Multipath TCP or not, in a sentence. */
  readonly reason: string;
  readonly subflows: SubflowStatus[];
}

/** Asks the kernel about a connection: a few microseconds. */
export function socketStatus(socket: Socket): SocketStatus {
  const { multipath: mptcp, reason, subflows } = info(socket);
  const alive = subflows.filter(isAlive);
  const addresses = new Set(alive.map(({ local }) => local.address));
  return {
    mptcp,
    multipath: mptcp && addresses.size > 1,
    reason: reasonText(reason),
    subflows: alive.map(subflowStatus),
  };
}

/**
 * The kernel keeps subflows on its list that begin, that have ended, and that time out again and again because the other side, or
 * something on the way, has forgotten them.
 */
function isAlive({ state, backoff }: SubflowInfo): boolean {
  return isOpen.has(state) && backoff < deadBackoff;
}

const isOpen = new Set<SubflowInfo['state']>(['established', 'close-wait', 'fin-wait-1', 'fin-wait-2']);
/** Timeouts in a row after which a subflow is not alive any more: one may be a burst of losses. */
const deadBackoff = 3;

function subflowStatus(subflow: SubflowInfo): SubflowStatus {
  return {
    local: place(subflow.local),
    remote: place(subflow.remote),
    rttMs: subflow.rttMs,
    bytesIn: subflow.bytesReceived,
    bytesOut: subflow.bytesSent,
    retransmits: subflow.retransmits,
    congestionWindow: subflow.congestionWindow,
  };
}

function place({ address, port }: { address: string; port: number }): string {
  return formatAuthority({ host: address, port });
}
