import type { PathStatus } from '@manypath/core';
import { discoverPaths } from '../discovery/discover-paths.ts';
import { pathStatuses } from '../discovery/path-status.ts';
import { KernelTables } from '../upkeep/kernel-tables.ts';
import type { Tiers } from './tier-keeper.ts';

/**
 * Tells of the paths of this host as they are, without anything being set up, counted or tried.
 *
 * @param named Interfaces to tell of also when they are no path at the moment.
 */
export function reportPaths(
  tiers: Pick<Tiers, 'tierOf' | 'usageOf'>,
  named: readonly string[] = [],
): PathStatus[] {
  const tables = KernelTables.open();
  try {
    const dump = tables.dump();
    const statuses = pathStatuses(dump, discoverPaths(dump), tables.endpoints(), new Set(named));
    return statuses.map(status => ({
      ...status,
      tier: tiers.tierOf(status),
      usage: tiers.usageOf(status.name),
    }));
  } finally {
    tables.close();
  }
}
