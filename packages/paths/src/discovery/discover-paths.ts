import type { DeviceAddress, Link, Route } from '@manypath/mptcp';
import type { Path, PathAddress } from './path.ts';
import { pathKind } from './path-kind.ts';

/** The kernel tables that paths are read from. */
export interface NetworkTables {
  readonly links: readonly Link[];
  readonly addresses: readonly DeviceAddress[];
  readonly routes: readonly Route[];
}

/** Interfaces that are a way into something else, not a way out of the host. */
const notAWayOut =
  /^(docker|br-|virbr|vnet|veth[0-9a-f]{7}|tun|tap|wg|tailscale|zt|ppp-vpn|lxc|lxd|cni|flannel)/;

/**
 * Reads the paths of this host from the kernel's tables.
 *
 * A path is an interface that is up and has carrier, with a global address and a default route of the same
 * family through a gateway, in any routing table. Bridges of containers, VPNs and the like are left out unless
 * they are named.
 *
 * @param tables What rtnetlink dumped.
 * @param names With names, exactly these interfaces are considered.
 * @returns Best default route first.
 */
export function discoverPaths(tables: NetworkTables, names?: readonly string[]): Path[] {
  const paths: Path[] = [];
  for (const link of tables.links) {
    if (link.type === 'loopback' || !link.up || link.carrier === false) continue;
    if (names === undefined ? notAWayOut.test(link.name) : !names.includes(link.name)) continue;
    const path = pathOver(link, tables);
    if (path !== undefined) paths.push(path);
  }
  return paths.sort((left, right) => left.metric - right.metric || left.index - right.index);
}

function pathOver(link: Link, tables: NetworkTables): Path | undefined {
  const defaults = defaultRoutes(link, tables.routes);
  const addresses: PathAddress[] = [];
  for (const address of tables.addresses) {
    if (address.index !== link.index || !isUsable(address)) continue;
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
    network: `${link.name} via ${best.gateway}`,
    metric: best.metric,
    addresses,
  };
}

interface DefaultRoute {
  family: 4 | 6;
  gateway: string;
  metric: number;
}

function defaultRoutes(link: Link, routes: readonly Route[]): DefaultRoute[] {
  const found: DefaultRoute[] = [];
  for (const route of routes) {
    if (!isDefault(route)) continue;
    for (const hop of hopsOf(route)) {
      if (hop.index !== link.index || hop.gateway === undefined) continue;
      found.push({ family: route.family, gateway: hop.gateway, metric: route.metric });
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

/** Link-local and deprecated addresses lead nowhere; a tentative one cannot be bound yet. */
function isUsable(address: DeviceAddress): boolean {
  const { deprecated, tentative, duplicate } = address.flags;
  return address.scope === 'global' && !deprecated && !tentative && !duplicate;
}
