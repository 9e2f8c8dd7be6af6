import { type Authority, type PathStatus, parseAuthority, type SubflowStatus } from '@manypath/core';

/** What is told of a connection or a lane that has subflows. */
interface Carrier {
  readonly mptcp: boolean;
  readonly multipath: boolean;
  readonly subflows: readonly SubflowStatus[];
}

/** The ends of a subflow. */
interface Ends {
  readonly local: { readonly address: string; readonly port: number };
  readonly remote: { readonly address: string; readonly port: number };
}

export interface PathNames {
  readonly paths: readonly PathStatus[];
  /** Knows paths apart that have the same address. Default: the address tells. */
  readonly pathOf?: ((ends: Ends) => { readonly name: string } | undefined) | undefined;
}

/**
 * Tells of each subflow which path it is on, leaves out those on paths that are dead, and calls multipath only what has two paths left
 * or more.
 */
export function living<C extends Carrier>(carriers: readonly C[], { paths, pathOf }: PathNames): C[] {
  const byAddress = new Map(
    paths.flatMap(({ name, addresses }) => addresses.map(address => [address, name] as const)),
  );
  const dead = new Set(paths.flatMap(({ name, health }) => (health === 'dead' ? [name] : [])));
  return carriers.map(carrier => {
    const placed = carrier.subflows.map(subflow => {
      const ends = { local: endOf(subflow.local), remote: endOf(subflow.remote) };
      return { ...subflow, path: pathOf?.(ends)?.name ?? byAddress.get(ends.local.address) ?? null };
    });
    const subflows = placed.filter(({ path }) => path === null || !dead.has(path));
    const used = new Set(subflows.map(({ path, local }) => path ?? local));
    return { ...carrier, multipath: carrier.mptcp && used.size > 1, subflows };
  });
}

function endOf(place: string): Ends['local'] {
  const { host, port }: Authority = parseAuthority(place);
  return { address: host, port };
}
