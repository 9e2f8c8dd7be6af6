/** What one relay takes on at most. */
export const relayLimits = {
  /** Connections that have shown the secret, all together; further ones are answered 503. */
  connections: 10_000,
  /** Those of one client address (IPv6: of one /64 network). */
  connectionsPerAddress: 4_096,
  /** Connections on which TLS has not begun, all together; each further one displaces one of the address with most. */
  arrivals: 4_000,
  /** Those of one client address (IPv6: of one /64 network) that no user came from; each further one displaces one of them. */
  arrivalsPerAddress: 1_000,
  /** Connections with TLS that have not shown the secret, all together; each further one displaces one of the address with most. */
  strangers: 1_000,
  /** Those of one client address (IPv6: of one /64 network) that no user came from; each further one displaces one of them. */
  strangersPerAddress: 64,
  /** Connections with which TLS is begun in one turn of the event loop; the addresses they come from take turns. */
  handshakesPerTurn: 8,
  /** How often it is looked whether the rest of a client's first message has come, in milliseconds. */
  partCheckMs: 50,
  /** Tunnels and connections to origins open at once, all together; further requests are answered 503. */
  targets: 16_384,
  /** How long a connection may be open without a request with the right secret, in milliseconds, TLS handshake included. */
  authenticateMs: 10_000,
  /**
   * How long an HTTP/2 connection may be without any frame, in milliseconds: then it is ended, or has to answer a PING if
   * there are streams on it.
   */
  idleSessionMs: 300_000,
  /**
   * Bytes for a client that may wait in the kernel unsent, on top of those on their way: what one stream sends next must not
   * queue behind megabytes of another (TCP_NOTSENT_LOWAT).
   */
  notSentBytes: 131_072,
  /** How long a silent client connection is left alone before TCP probes it, in milliseconds. */
  keepAliveMs: 60_000,
  /** Streams open at once on an HTTP/2 connection that has not shown the secret. */
  strangersStreams: 32,
  /** Receive window of each of them, in bytes. */
  strangersWindowBytes: 65_535,
  /** Streams open at once on one HTTP/2 connection. */
  streamsPerConnection: 2_048,
  /** Receive window of one HTTP/2 stream, in bytes: 1 Gbit/s at 60 ms is 7.5 MB, and paths deliver out of step. */
  streamWindowBytes: 16_777_216,
  /** The least that window is lowered to while many streams are stuck, in bytes. */
  smallestStreamWindowBytes: 65_536,
  /** Receive window of one HTTP/2 connection, in bytes. */
  sessionWindowBytes: 67_108_864,
  /** Bytes waiting for slow targets on one HTTP/2 connection, above which stream windows are lowered. */
  sessionBacklogBytes: 33_554_432,
  /** How often that is looked at while bytes arrive, in milliseconds. */
  backlogCheckMs: 100,
  /** How long a client may take to answer PING and SETTINGS, in milliseconds. */
  answerMs: 30_000,
  /** Streams that a client may break off on one HTTP/2 connection in quick succession; then it has to open another. */
  resetsPerConnection: 500,
  /** How many of them are forgotten each second. */
  resetsPerSecond: 25,
  /** Bytes that the HTTP/2 layer may hold for one connection, in MB (Node's `maxSessionMemory`). */
  sessionMemoryMegabytes: 128,
  /** Header bytes of one HTTP/2 request. */
  headerListBytes: 65_536,
  /** Header fields of one HTTP/2 request. */
  headerFields: 1_000,
  /** Sessions of gateways; for a further one the one that has waited longest without a carrier is ended. */
  sessions: 1_024,
  /** Tunnels open at once in one session. */
  tunnelsPerSession: 16_384,
  /** Bytes sent in one session and not acknowledged, until targets are read no further. */
  sessionUnacknowledgedBytes: 33_554_432,
  /** How long a session without a carrier waits for its gateway, in milliseconds. */
  sessionAwayMs: 600_000,
  /** Bytes that all sessions without a carrier may hold; those that were left first are ended beyond that. */
  sessionAwayBytes: 268_435_456,
  /** How often it is looked at that, in milliseconds. */
  sessionCheckMs: 5_000,
  /** How long the lookup and the dialling of a target may take, in milliseconds. */
  dialMs: 20_000,
  /** How long the answer to a wrong secret is held back, in milliseconds; doubles with each one from an address. */
  firstRefusalDelayMs: 100,
  /** The longest such delay, in milliseconds. */
  longestRefusalDelayMs: 3_000,
  /** Answers held back at once; connections that would need more are closed without one. */
  refusalsHeldBack: 1_024,
  /** Wrong or missing secrets on one connection, after which it is closed. */
  refusalsPerConnection: 16,
  /** Addresses whose wrong secrets, or right ones, are remembered; the one seen longest ago is forgotten first. */
  rememberedAddresses: 4_096,
  /** How long a stranger may take for the next step before others are preferred, in milliseconds: round trips of bad links. */
  stalledMs: 1_500,
  /** How long what strangers do is only counted after the log has told of it, in milliseconds. */
  tellAgainMs: 60_000,
  /** How long a client may take to close a connection that the relay has ended, in milliseconds. */
  lingerMs: 2_000,
  /** How often certificate files are looked at for changes, in milliseconds. */
  certificateCheckMs: 60_000,
  /** How often a relay that takes plain TCP only looks whether the kernel has Multipath TCP by then, in milliseconds. */
  kernelCheckMs: 2_000,
  /** How long a closing relay lets tunnels go on, in milliseconds. */
  closeGraceMs: 5_000,
  /** Bytes of one measurement of a path by a paired gateway. */
  rateProbeBytes: 4_194_304,
  /** Room for what arrives over one path before what was sent earlier over another, in bytes for each connection of a client. */
  receiveBufferBytes: 8_388_608,
} as const;

/** Limits with some of them changed. */
export type RelayLimits = { readonly [Name in keyof typeof relayLimits]: number };
