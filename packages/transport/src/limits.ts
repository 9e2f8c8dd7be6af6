/** What the ends of carriers take and wait for at most. */
export const transportLimits = {
  /** Bytes for a carrier that may wait in this process until tunnels are held back. */
  carrierQueuedBytes: 262_144,
  /** Pieces of fewer bytes in all are joined before they are sent. */
  joinBytes: 16_384,
  /** Bytes of a user's name. */
  userBytes: 64,
  /** Bytes from one side after which it counts as sending in bulk. */
  bulkAfterBytes: 131_072,
  /** How long a side may take to have what was written before it was broken off, in milliseconds. */
  lingerMs: 2_000,
  /** How long a tunnel may be without a byte in either direction, in milliseconds. */
  idleMs: 7_200_000,
  /** The same once one side has ended, in milliseconds. */
  halfClosedIdleMs: 600_000,
} as const;

/** Limits with some of them changed. */
export type TransportLimits = { readonly [Name in keyof typeof transportLimits]: number };
