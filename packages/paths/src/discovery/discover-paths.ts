import type { DeviceAddress, Link, Route } from '@manypath/mptcp';
import type { Path, PathAddress } from './path.ts';
import { pathKind } from './path-kind.ts';
import { rankAddresses } from './rank-addresses.ts';
import { isWayOut } from './way-out.ts';

/** The kernel tables that paths are read from. */
export interface NetworkTables {
  readonly links: readonly Link[];
  readonly addresses: readonly DeviceAddress[];
  readonly routes: readonly Route[];
  /** Names of the wireless networks that interfaces are in, by index. */
  readonly wirelessNames?: ReadonlyMap<number, string>;
}

/**
 * Reads the paths of this host from the kernel's tables.
 *
 * A path is an interface that is up and has carrier, with a global address and a default route of the same
 * family, in any routing table. The route goes through a gateway, or over a point-to-point link. Bridges of containers, VPNs
 * and the like are left out unless they are named.
 *
 * @param tables What rtnetlink dumped.
 * @param names With names, exactly these interfaces are considered.
 * @returns Best default route first.
 */
export function discoverPaths(tables: NetworkTables, names?: readonly string[]): Path[] {
  const paths: Path[] = [];
  for (const link of tables.links) {
    if (link.type === 'loopback' || !link.up || link.carrier === false) continue;
    if (names === undefined ? !isWayOut(link) : !names.includes(link.name)) continue;
    const path = pathOver(link, tables);
    if (path !== undefined) paths.push(path);
  }
  return paths.sort((left, right) => left.metric - right.metric || left.index - right.index);
}

function pathOver(link: Link, tables: NetworkTables): Path | undefined {
  const defaults = defaultRoutes(link, tables.routes);
  const addresses: PathAddress[] = [];
  for (const address of rankAddresses(tables.addresses.filter(({ index }) => index === link.index))) {
    const route = defaults.find(({ family }) => family === address.family);
    if (route === undefined) continue;
    const { address: text, family, prefixLength } = address;
    addresses.push({ address: text, family, prefixLength, gateway: route.gateway });
  }
  const best = defaults[0];
  if (best === undefined || addresses.length === 0) return undefined;
  return {
    name: link.name,
    index: link.index,
    kind: pathKind(link),
    network: networkName(link, best, tables.wirelessNames?.get(link.index)),
    metric: best.metric,
    addresses,
  };
}

/** Two wireless networks often have routers of the same address, so the name tells them apart where it is known. */
function networkName({ name }: Link, { gateway }: DefaultRoute, ssid: string | undefined): string {
  const place = ssid === undefined ? name : `“${ssid}”`;
  return gateway === null ? place : `${place} via ${gateway}`;
}

interface DefaultRoute {
  family: 4 | 6;
  /** `null`: no router, the link has the world at its other end. */
  gateway: string | null;
  metric: number;
}

function defaultRoutes(link: Link, routes: readonly Route[]): DefaultRoute[] {
  const found: DefaultRoute[] = [];
  for (const route of routes) {
    if (!isDefault(route)) continue;
    for (const hop of hopsOf(route)) {
      if (hop.index !== link.index) continue;
      if (hop.gateway === undefined && !link.pointToPoint && !link.noArp) continue;
      found.push({ family: route.family, gateway: hop.gateway ?? null, metric: route.metric });
    }
  }
  return found.sort((left, right) => left.metric - right.metric);
}

function isDefault({ destination, type }: Route): boolean {
  return type === 'unicast' && (destination === '0.0.0.0/0' || destination === '::/0');
}

function hopsOf(route: Route): readonly { index: number | undefined; gateway: string | undefined }[] {
  return route.nexthops.length > 0 ? route.nexthops : [route];
}
