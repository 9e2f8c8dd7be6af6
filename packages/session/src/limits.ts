/** What a session holds and takes at most, and what it hands out. Each can be given otherwise to a {@link Session}. */
export const sessionLimits = {
  /** Tunnels that are open at once. */
  tunnels: 20_000,
  /** Tunnels that were opened while the opening of an earlier one has not come. */
  tunnelsAhead: 65_536,
  /** Bytes of the body of a frame other than DATA and DATAGRAM. */
  controlBytes: 4_096,
  /** Bytes that one DATA frame carries. */
  dataBytes: 262_144,
  /** Bytes that one DATAGRAM frame carries. */
  datagramBytes: 65_535,
  /** Bytes of the UTF-8 of a target or a name. */
  targetBytes: 1_024,
  /** Bytes of the UTF-8 of why a tunnel was broken off, or a session ended. */
  messageBytes: 512,
  /** Bytes that either end may send on a tunnel at first: the same at both, which WELCOME sees to. */
  windowBytes: 262_144,
  /** The same at most, for a tunnel whose reader keeps up. */
  widestWindowBytes: 16_777_216,
  /** Bytes that readers of all tunnels have not taken, until no window is wider than at first. */
  unreadBytes: 67_108_864,
  /** The same, until the tunnel whose reader has left most is broken off. */
  mostUnreadBytes: 268_435_456,
  /** Stretches of a tunnel that came before what goes before them, while it goes over to another carrier. */
  earlyStretches: 1_024,
  /** Bytes that are sent and not acknowledged, until nothing more is taken from senders; at twice as many the session ends. */
  unacknowledgedBytes: 67_108_864,
  /** Bytes that come on a carrier until they are acknowledged. */
  acknowledgeBytes: 131_072,
  /** How long fewer wait for that, in milliseconds. */
  acknowledgeMs: 50,
  /** Carriers, with those that were left and of which it is not settled what arrived; then the oldest gives way. */
  carriers: 64,
  /** Numbers of carriers that are remembered because they are not used any more. */
  goneCarriers: 1_024,
  /** Datagrams that wait for a carrier that takes no more just now; the newest stay. */
  datagrams: 256,
  /** How long one may wait, in milliseconds. */
  datagramMs: 200,
} as const;

/** Limits of a session; see {@link sessionLimits}. */
export type SessionLimits = { readonly [Name in keyof typeof sessionLimits]: number };
