import type { PathTier } from '@manypath/core';
import { networkOf } from '../discovery/network-of.ts';
import type { Path, PathAddress } from '../discovery/path.ts';

/** One thing that Manypath puts into the kernel for a path, and takes out again. */
export type Setting = RouteSetting | RuleSetting | EndpointSetting;

/** A route in the path's own table. */
export interface RouteSetting {
  readonly type: 'route';
  readonly family: 4 | 6;
  readonly table: number;
  /** `null` is the default route. */
  readonly destination: { readonly address: string; readonly prefixLength: number } | null;
  readonly gateway: string | null;
  readonly device: string;
  readonly index: number;
  readonly source: string;
}

/** A rule that sends packets from the path's address, or of sockets bound to it, to its table. */
export interface RuleSetting {
  readonly type: 'rule';
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  readonly from: string | null;
  readonly outInterface: string | null;
}

/** An MPTCP endpoint: the kernel opens a subflow from it. */
export interface EndpointSetting {
  readonly type: 'endpoint';
  readonly address: string;
  readonly family: 4 | 6;
  readonly device: string;
  readonly index: number;
  /** Whether its subflows carry nothing while others work. */
  readonly backup?: boolean;
}

/** Numbers that Manypath claims in the kernel's tables, chosen to be out of everybody's way. */
export const claimed = {
  /** Table of interface N is this plus N. */
  firstTable: 77_000,
  /** Priority of the rules: before the main table (32766), after what people write by hand. */
  rulePriority: 27_700,
} as const;

/** The kernel's own bound on endpoints (net/mptcp/pm_kernel.c, MPTCP_PM_ADDR_MAX). */
const maximumEndpoints = 8;

/**
 * What the kernel must hold so that every path can carry subflows.
 *
 * For each address: a table of its own with the on-link prefix and the default route of its interface, a rule
 * that packets from that address use it, another for sockets bound to the interface, and an endpoint. Routes come
 * first, so that a subflow made the moment its endpoint appears finds its way.
 */
export function planPaths(
  paths: readonly Path[],
  tierOf: (path: Path) => PathTier = () => 'primary',
): Setting[] {
  const routing = paths.flatMap(path => path.addresses.flatMap(address => routingOf(path, address)));
  const endpoints = paths.flatMap(path => {
    const tier = tierOf(path);
    return tier === 'never' ? [] : firstOfEachFamily(path).map(address => endpointOf(path, address, tier));
  });
  // The kernel takes an address once; of paths with the same one the best has the endpoint.
  const first = endpoints.filter(
    ({ address }, position) => endpoints.findIndex(other => other.address === address) === position,
  );
  return unique([...routing, ...first.slice(0, maximumEndpoints)]);
}

function routingOf(path: Path, { address, family, prefixLength, gateway }: PathAddress): Setting[] {
  const table = claimed.firstTable + path.index;
  const route = {
    type: 'route',
    family,
    table,
    device: path.name,
    index: path.index,
    source: address,
  } as const;
  const rule = { type: 'rule', family, table, priority: claimed.rulePriority } as const;
  const isAlone = prefixLength === (family === 4 ? 32 : 128);
  return [
    ...(isAlone
      ? []
      : [
          {
            ...route,
            destination: { address: networkOf(address, prefixLength), prefixLength },
            gateway: null,
          },
        ]),
    { ...route, destination: null, gateway },
    { ...rule, from: address, outInterface: null },
    { ...rule, from: null, outInterface: path.name },
  ];
}

/** One address of a family for each path: the kernel makes a subflow for every endpoint, and two on one path add nothing. */
function firstOfEachFamily({ addresses }: Path): PathAddress[] {
  return addresses.filter(
    (address, position) => addresses.findIndex(({ family }) => family === address.family) === position,
  );
}

function endpointOf(path: Path, { address, family }: PathAddress, tier: PathTier): EndpointSetting {
  const { name: device, index } = path;
  return { type: 'endpoint', address, family, device, index, backup: tier === 'backup' };
}

/** A text that is equal for settings that mean the same. */
export function settingKey(setting: Setting): string {
  switch (setting.type) {
    case 'route': {
      const { family, table, destination, gateway, index } = setting;
      const to = destination === null ? 'default' : `${destination.address}/${destination.prefixLength}`;
      return `route ${family} ${table} ${to} via ${gateway} dev ${index}`;
    }
    case 'rule':
      return `rule ${setting.family} ${setting.priority} ${setting.table} ${setting.from} ${setting.outInterface}`;
    case 'endpoint':
      return `endpoint ${setting.address} dev ${setting.index}${setting.backup ? ' backup' : ''}`;
  }
}

function unique(settings: readonly Setting[]): Setting[] {
  return [...new Map(settings.map(setting => [settingKey(setting), setting])).values()];
}
