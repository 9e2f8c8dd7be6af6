export type { AddressChange, AddressFlags, DeviceAddress } from './addresses.ts';
export {
  type DiagConnection,
  type DiagFilter,
  DiagReader,
  type DiagSubflow,
  diag,
  socketOwnerUid,
} from './diag.ts';
export type { SubflowFlags } from './diag-codec.ts';
export type { Endpoint, EndpointFlag } from './endpoints.ts';
export {
  NetlinkArgumentError,
  NetlinkClosedError,
  NetlinkError,
  NetlinkMalformedError,
  NetlinkPermissionError,
  NetlinkUnsupportedError,
} from './errors.ts';
export type { IpFamily } from './ip-bytes.ts';
export { type NetlinkLimits, netlinkLimits } from './limits.ts';
export type { Link, LinkStatistics, OperState } from './links.ts';
export { diffCounters, type MibCounters, mibCounters, mibMeanings } from './mib-counters.ts';
export type { NetlinkOptions } from './netlink-socket.ts';
export type { Nexthop, NexthopChange } from './nexthops.ts';
export {
  type EndpointRef,
  type EndpointSpec,
  type PartialAddress,
  PathManager,
  type PathManagerLimits,
  type SubflowRef,
  type SubflowSpec,
} from './path-manager.ts';
export type { ConnectionEvent, PathManagerEvent, SubflowEvent } from './path-manager-events.ts';
export type { RouteEvent, RouteEventType } from './route-events.ts';
export type { RouteAnswer, RouteQuestion } from './route-lookup.ts';
export { type RouteType, routeProtocols, routeTables } from './route-names.ts';
export { RouteSocket } from './route-socket.ts';
export type { Route, RouteChange, RouteMetrics } from './routes.ts';
export type { Rule, RuleAction, RuleChange } from './rules.ts';
export { WirelessReader } from './wireless.ts';
