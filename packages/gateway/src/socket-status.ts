import type { Socket } from 'node:net';
import { formatAuthority, type SubflowStatus } from '@manypath/core';
import { info, reasonText, type SubflowInfo } from '@manypath/mptcp';

/** What the kernel says of a connection, in the words of the status document. */
export interface SocketStatus {
  readonly multipath: boolean;
  /** Why it is or is not, in a sentence. */
  readonly reason: string;
  readonly subflows: SubflowStatus[];
}

/** Asks the kernel about a connection: a few microseconds. */
export function socketStatus(socket: Socket): SocketStatus {
  const { multipath, reason, subflows } = info(socket);
  return { multipath, reason: reasonText(reason), subflows: subflows.filter(isAlive).map(subflowStatus) };
}

/** The kernel keeps the first subflow of a connection on its list after that has ended. */
function isAlive({ state }: SubflowInfo): boolean {
  return state !== 'closed';
}

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
