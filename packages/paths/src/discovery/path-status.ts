import type { PathStatus } from '@manypath/core';
import type { Endpoint } from '@manypath/mptcp';
import type { NetworkTables } from './discover-paths.ts';
import type { Path } from './path.ts';
import { pathKind } from './path-kind.ts';

/**
 * Tells of every interface that is a path now, and of those that were named or were one before and are not usable
 * at the moment.
 */
export function pathStatuses(
  tables: NetworkTables,
  paths: readonly Path[],
  endpoints: readonly Endpoint[],
  known: ReadonlySet<string>,
): PathStatus[] {
  const links = tables.links.filter(
    ({ name, index }) => known.has(name) || paths.some(path => path.index === index),
  );
  return links.map(link => {
    const path = paths.find(({ index }) => index === link.index);
    const onLink = tables.addresses.filter(({ index, scope }) => index === link.index && scope === 'global');
    return {
      name: link.name,
      index: link.index,
      kind: pathKind(link),
      addresses: onLink.map(({ address }) => address),
      gateway: path?.addresses[0]?.gateway ?? null,
      up: link.up,
      carrier: link.carrier !== false,
      endpoint: endpoints.some(({ address }) => onLink.some(entry => entry.address === address)),
      bytesIn: link.statistics?.bytesIn ?? 0,
      bytesOut: link.statistics?.bytesOut ?? 0,
      tier: 'primary',
      health: path === undefined ? 'dead' : 'unknown',
      healthReason: null,
      network: path?.network ?? null,
      rttMs: null,
      downMbps: null,
      upMbps: null,
      usage: { todayBytes: 0, monthBytes: 0, dailyCapBytes: null, monthlyCapBytes: null, capReached: false },
    };
  });
}
