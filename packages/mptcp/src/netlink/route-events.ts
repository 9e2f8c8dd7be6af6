import { type DeviceAddress, decodeAddress } from './addresses.ts';
import {
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELROUTE,
  RTM_DELRULE,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWROUTE,
  RTM_NEWRULE,
} from './constants.ts';
import { decodeLink, type Link } from './links.ts';
import type { NetlinkMessage } from './message.ts';
import { decodeRoute, type Route } from './routes.ts';
import { decodeRule, type Rule } from './rules.ts';

/**
 * A change of links, addresses, routes or rules. `set` is told for what is new and for what is changed, and also
 * when nothing has changed that can be seen here. `overrun`: some events got lost, read the tables anew.
 */
export type RouteEvent =
  | { type: 'link'; action: 'set' | 'removed'; link: Link }
  | { type: 'address'; action: 'set' | 'removed'; address: DeviceAddress }
  | { type: 'route'; action: 'set' | 'removed'; route: Route }
  | { type: 'rule'; action: 'set' | 'removed'; rule: Rule }
  | { type: 'overrun' };

export type RouteEventType = Exclude<RouteEvent['type'], 'overrun'>;

/** RTNLGRP_* of include/uapi/linux/rtnetlink.h, IPv4 and IPv6. */
export const routeEventGroups: Record<RouteEventType, readonly number[]> = {
  link: [1],
  address: [5, 9],
  route: [7, 11],
  rule: [8, 19],
};

/** Makes events of messages; keeps the devices' names in `names` up to date as links come and go. */
export function routeEventDecoder(
  names: Map<number, string>,
): (message: NetlinkMessage) => RouteEvent | undefined {
  const nameOf = (index: number): string | undefined => names.get(index);
  return ({ type, payload }) => {
    switch (type) {
      case RTM_NEWLINK:
      case RTM_DELLINK: {
        // Bridges tell of their ports with messages of their own family, which say less: only AF_UNSPEC is meant.
        if (payload[0] !== 0) return undefined;
        const link = decodeLink(payload);
        if (type === RTM_NEWLINK) names.set(link.index, link.name);
        else names.delete(link.index);
        return { type: 'link', action: type === RTM_NEWLINK ? 'set' : 'removed', link };
      }
      case RTM_NEWADDR:
      case RTM_DELADDR: {
        const address = decodeAddress(payload, nameOf);
        return address && { type: 'address', action: type === RTM_NEWADDR ? 'set' : 'removed', address };
      }
      case RTM_NEWROUTE:
      case RTM_DELROUTE: {
        const route = decodeRoute(payload, nameOf);
        return route && { type: 'route', action: type === RTM_NEWROUTE ? 'set' : 'removed', route };
      }
      case RTM_NEWRULE:
      case RTM_DELRULE: {
        const rule = decodeRule(payload);
        return rule && { type: 'rule', action: type === RTM_NEWRULE ? 'set' : 'removed', rule };
      }
      default:
        return undefined;
    }
  };
}
