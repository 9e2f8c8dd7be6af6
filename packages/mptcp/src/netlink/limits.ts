/** What the netlink part of this package takes in at most. */
export const netlinkLimits = {
  /** Room for one message of an answer at first, in bytes; it grows when the kernel has more to say at once. */
  messageBytes: 65_536,
  /** The largest single message that is read, in bytes. Beyond it: `MPTCP_NETLINK_MALFORMED`. */
  mostMessageBytes: 16 * 1024 * 1024,
  /** How often a listing is begun again when the kernel's table changed under it, or its answer got lost. */
  dumpAttempts: 16,
  /** Messages of one answer (rows of a table); a full IPv4 Internet table has about 1 000 000. */
  answerMessages: 4_000_000,
  /** Events kept for a reader who does not keep up; then they give way to one `overrun` event. */
  queuedEvents: 4096,
  /** Receive buffer of an event socket in bytes; the kernel cuts it to `net.core.rmem_max` without CAP_NET_ADMIN. */
  eventBufferBytes: 2 * 1024 * 1024,
  /** Datagrams read from an event socket before the event loop gets its turn. */
  datagramsPerTurn: 64,
} as const;

/** Other values for some of `netlinkLimits`. */
export type NetlinkLimits = Partial<Record<keyof typeof netlinkLimits, number>>;
