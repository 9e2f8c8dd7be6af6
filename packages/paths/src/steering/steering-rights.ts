import type { SocketAddress } from '@manypath/mptcp';

/** One subflow of one connection, by its ends. */
export interface SubflowEnd {
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
}

/** A subflow to be made. */
export interface NewSubflow {
  /** The connection's token. */
  readonly token: number;
  /** Address and device it leaves by. */
  readonly localAddress: string;
  /**
   * Names the address on this connection: 0 for the address of its first subflow, else 1 to 255. An address keeps its number for
   * the life of the connection.
   */
  readonly localId: number;
  readonly device: string;
  readonly remote: SocketAddress;
  /** Begin as backup: it carries nothing while a full one works. */
  readonly backup: boolean;
}

/**
 * What steering single connections takes from the kernel (CAP_NET_ADMIN): in this process, or through the privileged helper,
 * which does it only for connections of the user who asks.
 *
 * Each method is rejected with `NetlinkError` `MPTCP_NETLINK_FAILED`, or with what the helper says.
 */
export interface SteeringRights {
  /** Whether they can be had now: a helper may come and go. */
  readonly isThere: boolean;
  /**
   * Makes an MPTCP socket whose subflows are left to user space: the kernel neither joins paths nor announces addresses for
   * it. The caller owns the descriptor.
   */
  openSocket(family: 4 | 6): Promise<number>;
  createSubflow(subflow: NewSubflow): Promise<void>;
  /** Closes a subflow without a word to the other side, should the path be dead. */
  destroySubflow(token: number, subflow: SubflowEnd): Promise<void>;
  /** Withdraws a local address (RM_ADDR over the other subflows): the other side sends what it carried again at once. */
  removeAddress(token: number, localId: number): Promise<void>;
  /** Makes a subflow backup, or a full one again, on both sides (MP_PRIO). */
  setBackup(token: number, subflow: SubflowEnd, backup: boolean): Promise<void>;
}
