/** Names of the numbers in routes and rules (include/uapi/linux/rtnetlink.h). */

export const routeScopes = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const;

const routeTypes = [
  'unspecified',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
] as const;

/** What happens to a packet that meets the route. */
export type RouteType = (typeof routeTypes)[number] | 'other';

export function routeTypeName(number: number): RouteType {
  return routeTypes[number] ?? 'other';
}

export function routeTypeNumber(name: Exclude<RouteType, 'other'>): number {
  return routeTypes.indexOf(name);
}

/** The tables every Linux has; `main` is where routes go unless told otherwise. */
export const routeTables = { default: 253, main: 254, local: 255 } as const;

/** Who made a route or rule (RTPROT_*); numbers above 4 are nothing to the kernel. */
export const routeProtocols = {
  unspecified: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  routerAdvertisement: 9,
  dhcp: 16,
  /** Ours, by which `routes` and `rules` can be told apart from those of others. */
  manypath: 77,
} as const;
