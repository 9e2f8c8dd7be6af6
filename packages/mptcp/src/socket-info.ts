import type { SubflowInfo } from './kernel/structs.ts';
import type { InfoReason } from './reasons.ts';

/** What the kernel knows about a connection now. */
export interface SocketInfo {
  /** What kind of descriptor it is. `mptcp` alone does not mean that the peer speaks it: see `multipath`. */
  protocol: 'mptcp' | 'tcp';
  /** Whether it really is Multipath TCP, even if it has one subflow only. */
  multipath: boolean;
  /** Why it is, or is not; `reasonText` makes a sentence of it. */
  reason: InfoReason;
  /** Names the connection in this network namespace; only while it is multipath. */
  token?: number;
  /** The device that `connect` bound it to; with Multipath TCP, its first subflow. */
  device?: string;
  /** How many subflows there are; 1 for plain TCP. */
  subflowCount: number;
  flags: {
    /** The kernel has given up Multipath TCP for this connection. */
    fallback: boolean;
    /** The other side's key is known: more subflows can join. */
    remoteKeyReceived: boolean;
    /** Payload carries a checksum (`net.mptcp.checksum_enabled`). */
    checksum: boolean;
  };
  /** Bytes of the connection; those sent more than once are counted once, where the kernel tells (6.5). */
  bytesSent: number;
  bytesReceived: number;
  bytesAcked: number;
  /** Bytes sent again on another subflow. */
  bytesRetransmitted: number;
  /** How often that happened; within a subflow see there. */
  retransmits: number;
  subflows: SubflowInfo[];
}
