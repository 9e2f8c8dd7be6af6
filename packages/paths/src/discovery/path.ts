/** What sort of interface a path leaves by, as far as the kernel tells. */
export type PathKind = 'ethernet' | 'wifi' | 'cellular' | 'usb' | 'virtual' | 'unknown';

/** An address of a path that connections can be made from. */
export interface PathAddress {
  readonly address: string;
  readonly family: 4 | 6;
  /** Bits of the on-link prefix. */
  readonly prefixLength: number;
  /** The router that reaches the world from this address; `null` on a link that has the world at its other end, as modems have. */
  readonly gateway: string | null;
}

/** One way out of this host: an interface with an address and a gateway. */
export interface Path {
  /** The interface's name, e.g. `wlan0`. */
  readonly name: string;
  /** The interface's index. */
  readonly index: number;
  readonly kind: PathKind;
  /** The network it leads into: what is learned of a path holds for that only. */
  readonly network: string;
  /** Metric of its best default route: the kernel prefers lower ones. */
  readonly metric: number;
  /** At least one; a path without an address that has a gateway is no path. */
  readonly addresses: readonly PathAddress[];
}
