import { AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkMalformedError } from './errors.ts';

/** A network device (`struct ifinfomsg` and IFLA_*, include/uapi/linux/if_link.h). */
export interface Link {
  /** The kernel's number of the device; stays while the name may change. */
  index: number;
  name: string;
  /** What it is by hardware; `other` for what is not told apart here. */
  type: 'ethernet' | 'loopback' | 'point-to-point' | 'tunnel' | 'raw-ip' | 'other';
  /** The driver's kind of a virtual device: `veth`, `bridge`, `wireguard`, `tun`, `vlan`, …; `undefined` for hardware. */
  kind: string | undefined;
  /** Switched on by the administrator. */
  up: boolean;
  /** On and able to carry packets (IFF_RUNNING, RFC 2863 operational state). */
  running: boolean;
  /** Whether there is a signal on the wire or radio; `undefined` where the kernel does not say. */
  carrier: boolean | undefined;
  /** RFC 2863 §3.1.14. `unknown` is normal for devices without carrier detection. */
  operState: OperState;
  /** Cannot carry ARP or neighbour discovery, e.g. modems and tunnels. */
  noArp: boolean;
  pointToPoint: boolean;
  /** Bytes of the largest IP packet. */
  mtu: number;
  /** Hardware address, `02:00:00:00:00:01`; `undefined` for devices without one. */
  address: string | undefined;
  /** Index of the bridge, bond or VRF it belongs to. */
  master: number | undefined;
  /** Index of the device below it (VLAN) or at its other end (veth; see `peerNamespace`). */
  parent: number | undefined;
  /** Kernel's number of the namespace that `parent` counts in, when it is another one. */
  peerNamespace: number | undefined;
  /** Traffic since the device was made. */
  statistics: LinkStatistics;
}

/** Counters of `struct rtnl_link_stats64`, with link-layer headers. */
export interface LinkStatistics {
  bytesIn: number;
  bytesOut: number;
  packetsIn: number;
  packetsOut: number;
  errorsIn: number;
  errorsOut: number;
  droppedIn: number;
  droppedOut: number;
}

const operStates = [
  'unknown',
  'not-present',
  'down',
  'lower-layer-down',
  'testing',
  'dormant',
  'up',
] as const;

export type OperState = (typeof operStates)[number];

const HEAD_BYTES = 16;
/** The counters read here; `struct rtnl_link_stats64` goes on behind them. */
const STATISTICS_BYTES = 64;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_OPERSTATE = 16;
const IFLA_LINKINFO = 18;
const IFLA_STATS64 = 23;
const IFLA_EXT_MASK = 29;
const IFLA_CARRIER = 33;
const IFLA_LINK_NETNSID = 37;
const IFLA_INFO_KIND = 1;
const RTEXT_FILTER_SKIP_STATS = 8;

const IFF_UP = 0x1;
const IFF_POINTOPOINT = 0x10;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;

/** ARPHRD_* of include/uapi/linux/if_arp.h. */
const types: Record<number, Link['type']> = {
  1: 'ethernet',
  512: 'point-to-point',
  519: 'raw-ip',
  768: 'tunnel',
  769: 'tunnel',
  772: 'loopback',
  776: 'tunnel',
  778: 'tunnel',
  65534: 'raw-ip',
};

/** Asks for all links, or for one by name; without the statistics of protocols, which nobody reads here. */
export function encodeLinkQuery(name?: string): Uint8Array {
  return new AttributeWriter(linkHead(0, 0, 0))
    .text(IFLA_IFNAME, name)
    .u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    .finish();
}

/** Asks to switch a link on or off, or to change its MTU. */
export function encodeLinkChange(index: number, change: { up?: boolean; mtu?: number }): Uint8Array {
  const mask = change.up === undefined ? 0 : IFF_UP;
  return new AttributeWriter(linkHead(index, change.up === true ? IFF_UP : 0, mask))
    .u32(IFLA_MTU, change.mtu)
    .finish();
}

export function decodeLink(payload: Uint8Array): Link {
  const { head, attributes } = splitHead(payload, HEAD_BYTES);
  const flags = head.getUint32(8, true);
  const name = attributes.text(IFLA_IFNAME);
  if (name === undefined) throw new NetlinkMalformedError('A link without a name');
  const carrier = attributes.u8(IFLA_CARRIER);
  const hardware = attributes.bytes(IFLA_ADDRESS);
  const statistics = attributes.bytes(IFLA_STATS64);
  return {
    index: head.getInt32(4, true),
    name,
    type: types[head.getUint16(2, true)] ?? 'other',
    kind: attributes.nested(IFLA_LINKINFO)?.text(IFLA_INFO_KIND),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_RUNNING) !== 0,
    carrier: carrier === undefined ? undefined : carrier !== 0,
    operState: operStates[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    noArp: (flags & IFF_NOARP) !== 0,
    pointToPoint: (flags & IFF_POINTOPOINT) !== 0,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    address: hardware === undefined || hardware.byteLength === 0 ? undefined : hardwareText(hardware),
    master: attributes.u32(IFLA_MASTER),
    parent: attributes.u32(IFLA_LINK),
    peerNamespace: attributes.s32(IFLA_LINK_NETNSID),
    statistics: decodeStatistics(statistics ?? new Uint8Array(STATISTICS_BYTES)),
  };
}

function linkHead(index: number, flags: number, change: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  const view = viewOf(head);
  view.setInt32(4, index, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, change, true);
  return head;
}

function decodeStatistics(bytes: Uint8Array): LinkStatistics {
  if (bytes.byteLength < STATISTICS_BYTES)
    throw new NetlinkMalformedError(`Link statistics of ${bytes.byteLength} bytes`);
  const view = viewOf(bytes);
  const counter = (n: number): number => Number(view.getBigUint64(n * 8, true));
  return {
    packetsIn: counter(0),
    packetsOut: counter(1),
    bytesIn: counter(2),
    bytesOut: counter(3),
    errorsIn: counter(4),
    errorsOut: counter(5),
    droppedIn: counter(6),
    droppedOut: counter(7),
  };
}

function hardwareText(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join(':');
}
