import { PathManager, RouteSocket, type Rule } from '@manypath/mptcp';
import { discoverPaths, type Path } from '@manypath/paths';

/** What the kernel holds for the paths of this host, whoever put it there. */
export interface HeldSettings {
  readonly paths: readonly Path[];
  readonly rules: readonly Rule[];
  /** Addresses of MPTCP endpoints. */
  readonly endpoints: ReadonlySet<string>;
  /** Subflows that a connection may have beside its first. */
  readonly subflowLimit: number;
}

/** Reads them; nothing of this needs rights. */
export function readHeldSettings(): HeldSettings {
  const routes = RouteSocket.open();
  const manager = openManager();
  try {
    const dump = { links: routes.links(), addresses: routes.addresses(), routes: routes.routes() };
    return {
      paths: discoverPaths(dump),
      rules: routes.rules(),
      endpoints: new Set(manager?.endpoints().map(({ address }) => address)),
      subflowLimit: manager?.limits().subflows ?? 0,
    };
  } finally {
    routes.close();
    manager?.close();
  }
}

/** Whether the kernel opens subflows over this path by itself. */
export function hasEndpoint({ addresses }: Path, { endpoints }: Pick<HeldSettings, 'endpoints'>): boolean {
  return addresses.some(({ address }) => endpoints.has(address));
}

function openManager(): PathManager | undefined {
  try {
    return PathManager.open();
  } catch {
    return undefined;
  }
}
