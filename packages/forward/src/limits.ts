/** What the byte relay and the HTTP forwarder keep and wait for at most. */
export const forwardLimits = {
  /** Size of the buffer that each direction of a plain socket starts with, in bytes. */
  smallBufferBytes: 65_536,
  /** Size of the buffer that a bulk transfer is read with where the kernel cannot be called directly, in bytes. */
  bulkBufferBytes: 524_288,
  /**
   * Size of the buffer that bulk transfers between plain sockets share, in bytes. Larger ones save wake-ups, and with
   * them CPU time, until they fall out of the processor's cache.
   */
  pumpBufferBytes: 2_097_152,
  /** Bytes in one direction after which it counts as a bulk transfer. */
  bulkAfterBytes: 1_048_576,
  /** How long a bulk transfer is left alone so that larger pieces can be read, in milliseconds; 0: not at all. */
  bulkPauseMs: 1,
  /** How long a relayed connection may be without a byte in either direction, in milliseconds. */
  idleMs: 7_200_000,
  /** The same once one side has ended, in milliseconds. */
  halfClosedIdleMs: 600_000,
  /** How long the head of an HTTP request may take to arrive, in milliseconds. */
  requestHeadMs: 15_000,
  /** How long a kept-alive connection of a client may wait for the next request, in milliseconds. */
  keepAliveMs: 65_000,
  /** How long an origin may take to begin its response, in milliseconds. */
  responseHeadMs: 300_000,
  /** Bytes of the head of a forwarded HTTP request. */
  forwardHeadBytes: 65_536,
  /** Idle connections to one origin that are kept for the next request. */
  idleOriginConnections: 8,
} as const;

/** Limits with some of them changed. */
export type ForwardLimits = { [Name in keyof typeof forwardLimits]: number };
