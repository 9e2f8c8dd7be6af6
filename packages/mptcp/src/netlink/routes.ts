import { type Attributes, AttributeWriter, splitHead, viewOf } from './attributes.ts';
import { NetlinkArgumentError } from './errors.ts';
import {
  familyOfAddress,
  familyOfNumber,
  type IpFamily,
  ipBytes,
  parsePrefix,
  prefixText,
} from './ip-bytes.ts';
import {
  decodeNexthops,
  encodeNexthops,
  gatewayOf,
  indexOf,
  type Nexthop,
  type NexthopChange,
  nexthopFlags,
  writeGateway,
} from './nexthops.ts';
import {
  type DeviceIndex,
  type DeviceName,
  ROUTE_HEAD_BYTES,
  RTA_CACHEINFO,
  RTA_DST,
  RTA_EXPIRES,
  RTA_METRICS,
  RTA_MULTIPATH,
  RTA_NH_ID,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_SRC,
  RTA_TABLE,
  RTM_F_CLONED,
  RTNH_F_ONLINK,
  routeHead,
} from './route-message.ts';
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

/** Kinds of metrics. */
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
const RTAX_INITCWND = 11;
const RTAX_INITRWND = 14;
const RTAX_CC_ALGO = 16;

/** Asks for all routes of a family, or for those of one table. */
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
  const { head, attributes } = splitHead(payload, ROUTE_HEAD_BYTES);
  const family = familyOfNumber(head.getUint8(0));
  const flags = head.getUint32(8, true);
  if (family === undefined || (flags & RTM_F_CLONED) !== 0) return undefined;
  return routeOf(family, head, attributes, deviceName);
}

/** The row of a message whose family is known. */
export function routeOf(
  family: IpFamily,
  head: DataView,
  attributes: Attributes,
  deviceName: DeviceName,
): Route {
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
