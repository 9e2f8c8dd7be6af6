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
  /** The same while its client has ended its own direction and may have gone, in milliseconds. */
  halfClosedAnswerMs: 60_000,
  /** How often it is asked then whether the client still waits, in milliseconds. */
  presenceCheckMs: 2_000,
  /** Bytes of the head of a forwarded HTTP request, which its target may fill. */
  forwardHeadBytes: 65_536,
  /** Bytes of the head of an answer. Chromium takes as many. */
  answerHeadBytes: 262_144,
  /** Header fields of an answer. */
  answerHeaderCount: 5_000,
  /** Idle connections to one origin that are kept for the next request of a client. */
  idleOriginConnections: 8,
  /** Idle connections to all origins that are kept for a client. */
  idleConnections: 32,
  /** How long an idle connection to an origin is kept, in milliseconds. */
  idleOriginMs: 4_000,
  /** Bytes of a request's body that are kept so that it can be repeated on another connection. */
  repeatBytes: 65_536,
  /** How long an origin that has answered may leave the rest of the request untaken, in milliseconds. */
  untakenMs: 1_000,
  /** How long a client may be silent and still be read from after its last answer, in milliseconds. */
  lingerMs: 2_000,
  /** How long it is read from then at most, in milliseconds. */
  lingerMostMs: 60_000,
} as const;

/** Limits with some of them changed. */
export type ForwardLimits = { [Name in keyof typeof forwardLimits]: number };
