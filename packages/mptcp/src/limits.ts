/** What the sockets of this package wait for and keep at most. */
export const mptcpLimits = {
  /** How long `connect` may take in all, names included, in milliseconds. */
  connectTimeoutMs: 30_000,
  /** How long `connect` gives one address before it tries the next one beside it, in milliseconds (RFC 8305 §5). */
  attemptDelayMs: 250,
  /** How many addresses of one name `connect` tries; the rest is ignored. */
  addressesPerName: 16,
  /** Connections the kernel holds ready for `accept`; it cuts this to `net.core.somaxconn`. */
  backlog: 4096,
  /** Connections that a `BulkListener` takes in one turn of the event loop at most. */
  acceptsPerTurn: 512,
  /** Silence after which a connection is probed, in milliseconds; the kernel counts whole seconds. */
  keepAliveIdleMs: 45_000,
  /** Time between two probes, in milliseconds; the kernel counts whole seconds. */
  keepAliveIntervalMs: 15_000,
  /** Unanswered probes after which a connection is given up. */
  keepAliveCount: 4,
  /** Buffers of pumps in which something waits for a slow destination; beyond so many, further ones are small. */
  pumpLargeBuffers: 32,
  /** The size of a small one, in bytes. */
  pumpSmallBufferBytes: 65_536,
  /** Buffers of pumps that are kept for the next one. */
  pumpSpareBuffers: 2,
  /** TLS sessions the undici connector keeps for resumption, one for each origin. */
  tlsSessions: 100,
} as const;

/** Other values for some of `mptcpLimits`. */
export type MptcpLimits = Partial<Record<keyof typeof mptcpLimits, number>>;
