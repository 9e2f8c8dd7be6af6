import { Attributes, AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkArgumentError, NetlinkMalformedError } from './errors.ts';
import {
  familyNumber,
  familyOfAddress,
  familyOfNumber,
  type IpFamily,
  ipBytes,
  ipText,
  parsePrefix,
  prefixText,
} from './ip-bytes.ts';
import {
  type RouteType,
  routeProtocols,
  routeScopes,
  routeTables,
  routeTypeName,
  routeTypeNumber,
} from './route-names.ts';

/** A row of a routing table (`struct rtmsg` and RTA_*, include/uapi/linux/rtnetlink.h). */
export interface Route {
  family: IpFamily;
  /** Where to, e.g. `192.0.2.0/24`; `0.0.0.0/0` and `::/0` are default routes. */
  destination: string;
  /** IPv6 only: for packets from there. */
  sourcePrefix: string | undefined;
  type: RouteType;
  table: number;
  /** Who made it, see `routeProtocols`. */
  protocol: number;
  /** IPv4: 0 everywhere, 253 on the link, 254 this host. */
  scope: number;
  /** Of routes to the same place the lowest wins. */
  metric: number;
  /** Next router; it may be of the other family. `undefined` when the destination is on the link itself. */
  gateway: string | undefined;
  index: number | undefined;
  /** Name of the device; `undefined` when there is none, or several (`nexthops`). */
  device: string | undefined;
  /** Source address that packets get unless the program chose one. */
  source: string | undefined;
  /** The ways of a multipath route; empty for a plain one. */
  nexthops: Nexthop[];
  /** Number of a nexthop object (`ip nexthop`) that the route uses. */
  nexthopId: number | undefined;
  /** The device is down or has no carrier: the route is not used. */
  dead: boolean;
  linkDown: boolean;
  /** The gateway counts as on the link whatever the addresses say. */
  onLink: boolean;
  metrics: RouteMetrics;
  /** Seconds until it goes; `undefined` for ever. */
  expiresSeconds: number | undefined;
}

export interface Nexthop {
  gateway: string | undefined;
  index: number;
  device: string | undefined;
  /** Share of the traffic against the others: 1 to 256. */
  weight: number;
  dead: boolean;
  linkDown: boolean;
  onLink: boolean;
}

/** Settings of connections over the route; `undefined` is the system's own choice. */
export interface RouteMetrics {
  /** Bytes of the largest packet. */
  mtu?: number | undefined;
  /** Largest TCP segment announced, in bytes. */
  advertisedSegmentSize?: number | undefined;
  /** TCP congestion window at the start, in segments. */
  initialWindow?: number | undefined;
  /** TCP receive window at the start, in segments. */
  initialReceiveWindow?: number | undefined;
  /** Congestion control of TCP over it. */
  congestion?: string | undefined;
}

/** A route to add or to remove. */
export interface RouteChange {
  /** `192.0.2.0/24`, `2001:db8::/32`, or `default` (of `family`, or else of the gateway's). */
  destination: string;
  /** Only needed for `default` without a gateway. */
  family?: IpFamily;
  gateway?: string;
  /** Name of the device. */
  device?: string;
  /** Number of the device, instead of `device`. */
  index?: number;
  source?: string;
  /** Default 0 (IPv6: the kernel makes it 1024). */
  metric?: number;
  /** Default `routeTables.main`. */
  table?: number;
  /** Default `routeProtocols.manypath`. Removal looks for this one too; 0 stands for any. */
  protocol?: number;
  /** Default `unicast`. */
  type?: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'local';
  onLink?: boolean;
  /** Several ways at once, instead of `gateway` and `device`. */
  nexthops?: readonly NexthopChange[];
  metrics?: RouteMetrics;
}

export interface NexthopChange {
  gateway?: string;
  device?: string;
  index?: number;
  /** 1 to 256. Default 1. */
  weight?: number;
  onLink?: boolean;
}

const HEAD_BYTES = 12;
const NEXTHOP_BYTES = 8;

const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_CACHEINFO = 12;
const RTA_TABLE = 15;
const RTA_MARK = 16;
const RTA_VIA = 18;
const RTA_EXPIRES = 23;
const RTA_UID = 25;
const RTA_NH_ID = 30;

const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTAX_INITCWND = 11;
const RTAX_INITRWND = 14;
const RTAX_CC_ALGO = 16;

const RTNH_F_DEAD = 1;
const RTNH_F_ONLINK = 4;
const RTNH_F_LINKDOWN = 16;
/** A cache entry, not a row of the table. */
const RTM_F_CLONED = 0x200;
/** Ask for the table in which the answer was found; IPv6 tells it anyway, and takes no flags. */
const RTM_F_LOOKUP_TABLE = 0x1000;

export type DeviceIndex = (name: string) => number;
export type DeviceName = (index: number) => string | undefined;

export function encodeRouteQuery(family: IpFamily, table: number | undefined): Uint8Array {
  return new AttributeWriter(routeHead({ family })).u32(RTA_TABLE, table).finish();
}

/** The payload of RTM_NEWROUTE and RTM_DELROUTE. */
export function encodeRoute(change: RouteChange, removal: boolean, deviceIndex: DeviceIndex): Uint8Array {
  const target = destinationOf(change);
  const type = change.type ?? 'unicast';
  const protocol = change.protocol ?? routeProtocols.manypath;
  const table = change.table ?? routeTables.main;
  const multiple = change.nexthops !== undefined && change.nexthops.length > 0;
  const scope = scopeOf(target.family, type, change.gateway !== undefined || multiple, removal);
  const head = routeHead({
    family: target.family,
    length: target.length,
    table: Math.min(table, 255) === table ? table : 0,
    protocol,
    scope,
    type: routeTypeNumber(type),
    flags: change.onLink === true ? RTNH_F_ONLINK : 0,
  });
  const writer = new AttributeWriter(head)
    .bytes(RTA_DST, target.length === 0 ? undefined : target.bytes)
    .u32(RTA_TABLE, table)
    .u32(RTA_PRIORITY, change.metric)
    .u32(RTA_OIF, indexOf(change, deviceIndex))
    .bytes(RTA_PREFSRC, change.source === undefined ? undefined : ipBytes(change.source))
    .nested(RTA_METRICS, encodeMetrics(change.metrics));
  writeGateway(writer, change.gateway, target.family);
  if (multiple)
    writer.bytes(RTA_MULTIPATH, encodeNexthops(change.nexthops ?? [], target.family, deviceIndex));
  return writer.finish();
}

/** Reads RTM_NEWROUTE or RTM_DELROUTE; `undefined` for cache entries and families that are not IP. */
export function decodeRoute(payload: Uint8Array, deviceName: DeviceName): Route | undefined {
  const { head, attributes } = splitHead(payload, HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  const flags = head.getUint32(8, true);
  if (family === undefined || (flags & RTM_F_CLONED) !== 0) return undefined;
  return routeOf(family, head, attributes, deviceName);
}

/** What the kernel is asked to decide. */
export interface RouteQuestion {
  /** Source address of the packet. */
  from?: string;
  /** Device it must leave through, by name. */
  oif?: string;
  /** Device it came in through, by name: the answer is then for a forwarded packet. */
  iif?: string;
  /** Firewall mark of the packet. */
  mark?: number;
  /** User whose packet it is. */
  uid?: number;
}

/** How a packet would travel. */
export interface RouteAnswer {
  destination: string;
  type: RouteType;
  device: string | undefined;
  index: number | undefined;
  gateway: string | undefined;
  /** The source address it leaves with. */
  source: string | undefined;
  table: number;
  /** Path MTU in bytes where one is known. */
  mtu: number | undefined;
}

export function encodeRouteQuestion(
  address: string,
  question: RouteQuestion,
  deviceIndex: DeviceIndex,
): Uint8Array {
  const destination = ipBytes(address);
  const family = destination.byteLength === 4 ? 4 : 6;
  const source = question.from === undefined ? undefined : ipBytes(question.from);
  if (source !== undefined && source.byteLength !== destination.byteLength) {
    throw new NetlinkArgumentError(`${question.from} and ${address} are not of one family`);
  }
  const bits = destination.byteLength * 8;
  const head = routeHead({
    family,
    length: bits,
    sourceLength: source === undefined ? 0 : bits,
    flags: family === 4 ? RTM_F_LOOKUP_TABLE : 0,
  });
  return new AttributeWriter(head)
    .bytes(RTA_DST, destination)
    .bytes(RTA_SRC, source)
    .u32(RTA_OIF, question.oif === undefined ? undefined : deviceIndex(question.oif))
    .u32(RTA_IIF, question.iif === undefined ? undefined : deviceIndex(question.iif))
    .u32(RTA_MARK, question.mark)
    .u32(RTA_UID, question.uid)
    .finish();
}

export function decodeRouteAnswer(payload: Uint8Array, deviceName: DeviceName): RouteAnswer | undefined {
  const { head, attributes } = splitHead(payload, HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  if (family === undefined) return undefined;
  const route = routeOf(family, head, attributes, deviceName);
  return {
    destination: attributes.address(RTA_DST) ?? route.destination,
    type: route.type,
    device: route.device,
    index: route.index,
    gateway: route.gateway,
    source: route.source,
    table: route.table,
    mtu: route.metrics.mtu,
  };
}

function routeOf(family: IpFamily, head: DataView, attributes: Attributes, deviceName: DeviceName): Route {
  const flags = head.getUint32(8, true);
  const index = attributes.u32(RTA_OIF);
  const sourceLength = head.getUint8(2);
  const multipath = attributes.bytes(RTA_MULTIPATH);
  return {
    family,
    destination: prefixText(family, attributes.address(RTA_DST), head.getUint8(1)),
    sourcePrefix:
      sourceLength === 0 ? undefined : prefixText(family, attributes.address(RTA_SRC), sourceLength),
    type: routeTypeName(head.getUint8(7)),
    table: attributes.u32(RTA_TABLE) ?? head.getUint8(4),
    protocol: head.getUint8(5),
    scope: head.getUint8(6),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    gateway: gatewayOf(attributes),
    index,
    device: index === undefined ? undefined : deviceName(index),
    source: attributes.address(RTA_PREFSRC),
    nexthops: multipath === undefined ? [] : decodeNexthops(multipath, deviceName),
    nexthopId: attributes.u32(RTA_NH_ID),
    ...nexthopFlags(flags),
    metrics: decodeMetrics(attributes.nested(RTA_METRICS)),
    expiresSeconds: expiryOf(attributes),
  };
}

function destinationOf(change: RouteChange): { family: IpFamily; bytes: Uint8Array; length: number } {
  if (change.destination !== 'default') return parsePrefix(change.destination);
  const gateway = change.gateway ?? change.nexthops?.find(hop => hop.gateway !== undefined)?.gateway;
  const family = change.family ?? (gateway === undefined ? undefined : familyOfAddress(gateway));
  if (family === undefined)
    throw new NetlinkArgumentError('A default route without a gateway needs its family');
  return { family, bytes: new Uint8Array(family === 4 ? 4 : 16), length: 0 };
}

/** IPv4 wants to know how far the destination is; removal takes any. IPv6 has no scopes. */
function scopeOf(family: IpFamily, type: RouteType, hasGateway: boolean, removal: boolean): number {
  if (family === 6) return routeScopes.universe;
  if (removal) return routeScopes.nowhere;
  if (type === 'local') return routeScopes.host;
  return type === 'unicast' && !hasGateway ? routeScopes.link : routeScopes.universe;
}

function indexOf(way: { device?: string; index?: number }, deviceIndex: DeviceIndex): number | undefined {
  return way.index ?? (way.device === undefined ? undefined : deviceIndex(way.device));
}

/** A gateway of the other family goes into RTA_VIA (RFC 5549), as family and address. */
function writeGateway(writer: AttributeWriter, gateway: string | undefined, family: IpFamily): void {
  if (gateway === undefined) return;
  const bytes = ipBytes(gateway);
  const own = bytes.byteLength === 4 ? 4 : 6;
  if (own === family) writer.bytes(RTA_GATEWAY, bytes);
  else writer.bytes(RTA_VIA, Uint8Array.of(familyNumber(own), 0, ...bytes));
}

function gatewayOf(attributes: Attributes): string | undefined {
  const via = attributes.bytes(RTA_VIA);
  return via === undefined ? attributes.address(RTA_GATEWAY) : ipText(via.subarray(2));
}

function encodeNexthops(
  hops: readonly NexthopChange[],
  family: IpFamily,
  deviceIndex: DeviceIndex,
): Uint8Array {
  const parts = hops.map(hop => {
    const weight = hop.weight ?? 1;
    if (!Number.isInteger(weight) || weight < 1 || weight > 256) {
      throw new NetlinkArgumentError(`The weight of a nexthop is 1 to 256, not ${weight}`);
    }
    const writer = new AttributeWriter(new Uint8Array(NEXTHOP_BYTES));
    writeGateway(writer, hop.gateway, family);
    const bytes = writer.finish();
    const view = viewOf(bytes);
    view.setUint16(0, bytes.byteLength, true);
    view.setUint8(2, hop.onLink === true ? RTNH_F_ONLINK : 0);
    view.setUint8(3, weight - 1);
    view.setInt32(4, indexOf(hop, deviceIndex) ?? 0, true);
    return bytes;
  });
  return Uint8Array.from(parts.flatMap(part => [...part]));
}

/** An array of `struct rtnexthop`, each with attributes of its own. */
function decodeNexthops(bytes: Uint8Array, deviceName: DeviceName): Nexthop[] {
  const view = viewOf(bytes);
  const hops: Nexthop[] = [];
  let offset = 0;
  while (offset < bytes.byteLength) {
    const left = bytes.byteLength - offset;
    const length = left < NEXTHOP_BYTES ? 0 : view.getUint16(offset, true);
    if (length < NEXTHOP_BYTES || length > left) {
      throw new NetlinkMalformedError(`A nexthop claims ${length} bytes where ${left} are left`);
    }
    const attributes = new Attributes(bytes.subarray(offset + NEXTHOP_BYTES, offset + length));
    const index = view.getInt32(offset + 4, true);
    hops.push({
      gateway: gatewayOf(attributes),
      index,
      device: deviceName(index),
      weight: view.getUint8(offset + 3) + 1,
      ...nexthopFlags(view.getUint8(offset + 2)),
    });
    offset += (length + 3) & ~3;
  }
  return hops;
}

function nexthopFlags(flags: number): { dead: boolean; linkDown: boolean; onLink: boolean } {
  return {
    dead: (flags & RTNH_F_DEAD) !== 0,
    linkDown: (flags & RTNH_F_LINKDOWN) !== 0,
    onLink: (flags & RTNH_F_ONLINK) !== 0,
  };
}

function encodeMetrics(metrics: RouteMetrics | undefined): AttributeWriter | undefined {
  if (metrics === undefined) return undefined;
  return new AttributeWriter()
    .u32(RTAX_MTU, metrics.mtu)
    .u32(RTAX_ADVMSS, metrics.advertisedSegmentSize)
    .u32(RTAX_INITCWND, metrics.initialWindow)
    .u32(RTAX_INITRWND, metrics.initialReceiveWindow)
    .text(RTAX_CC_ALGO, metrics.congestion);
}

function decodeMetrics(attributes: Attributes | undefined): RouteMetrics {
  return {
    mtu: attributes?.u32(RTAX_MTU),
    advertisedSegmentSize: attributes?.u32(RTAX_ADVMSS),
    initialWindow: attributes?.u32(RTAX_INITCWND),
    initialReceiveWindow: attributes?.u32(RTAX_INITRWND),
    congestion: attributes?.text(RTAX_CC_ALGO),
  };
}

/** IPv6 tells when a route expires in `struct rta_cacheinfo`, in hundredths of a second (USER_HZ). */
function expiryOf(attributes: Attributes): number | undefined {
  const explicit = attributes.u32(RTA_EXPIRES);
  if (explicit !== undefined) return explicit;
  const cache = attributes.bytes(RTA_CACHEINFO);
  if (cache === undefined || cache.byteLength < 12) return undefined;
  const expires = viewOf(cache).getInt32(8, true);
  return expires > 0 ? expires / 100 : undefined;
}

function routeHead(fields: {
  family: IpFamily;
  length?: number;
  sourceLength?: number;
  table?: number;
  protocol?: number;
  scope?: number;
  type?: number;
  flags?: number;
}): Uint8Array {
  const head = Uint8Array.of(
    familyNumber(fields.family),
    fields.length ?? 0,
    fields.sourceLength ?? 0,
    0,
    fields.table ?? 0,
    fields.protocol ?? 0,
    fields.scope ?? 0,
    fields.type ?? 0,
    0,
    0,
    0,
    0,
  );
  viewOf(head).setUint32(8, fields.flags ?? 0, true);
  return head;
}
