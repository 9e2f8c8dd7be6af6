/** What one relay takes on at most. */
export const relayLimits = {
  /** Connections of clients, all together. */
  connections: 10_000,
  /** Connections of one client address. */
  connectionsPerAddress: 2_000,
  /** How long a TLS handshake may take, in milliseconds. */
  handshakeMs: 10_000,
  /** How long a connection without any request is kept, in milliseconds; lanes keep theirs alive with PING. */
  idleSessionMs: 300_000,
  /** Streams open at once on one HTTP/2 connection. */
  streamsPerConnection: 2_048,
  /** Receive window of one HTTP/2 stream, in bytes: 1 Gbit/s at 60 ms is 7.5 MB, and paths deliver out of step. */
  streamWindowBytes: 16_777_216,
  /** Receive window of one HTTP/2 connection, in bytes. */
  sessionWindowBytes: 67_108_864,
  /** Bytes that the HTTP/2 layer may hold for one connection, in MB (Node's `maxSessionMemory`). */
  sessionMemoryMegabytes: 128,
  /** Header bytes of one HTTP/2 request. */
  headerListBytes: 65_536,
  /** How long the lookup and the dialling of a target may take, in milliseconds. */
  dialMs: 20_000,
  /** How long the answer to a wrong secret is held back, in milliseconds; doubles with each one from an address. */
  firstRefusalDelayMs: 100,
  /** The longest such delay, in milliseconds. */
  longestRefusalDelayMs: 3_000,
  /** Addresses whose wrong secrets are remembered. */
  rememberedAddresses: 4_096,
  /** How long a closing relay lets tunnels go on, in milliseconds. */
  closeGraceMs: 2_000,
} as const;

/** Limits with some of them changed. */
export type RelayLimits = { [Name in keyof typeof relayLimits]: number };
