import type { ConnectionStatus, PathStatus } from '@manypath/core';

/** How a connection leaves this machine. */
export type Manner = 'several' | 'one' | 'straight' | 'fell-back' | 'dialling';

/** A connection, explained. */
export interface Explanation {
  readonly manner: Manner;
  /** Names of the paths that it has a subflow on. */
  readonly paths: readonly string[];
  /** In words a person understands. */
  readonly words: string;
}

/** Says how a connection leaves this machine, and why not otherwise. */
export function explainConnection(
  connection: Pick<ConnectionStatus, 'route' | 'mptcp' | 'multipath' | 'reason' | 'subflows'>,
  paths: readonly Pick<PathStatus, 'name' | 'addresses'>[],
): Explanation {
  const { route, mptcp, multipath, reason, subflows } = connection;
  const used = new Set(subflows.map(({ local, path }) => path ?? pathOf(local, paths)));
  const names = [...used].filter(name => name !== undefined);
  const relayed = route === 'relay' ? 'through the relay' : 'to the server itself';
  if (route === null) return { manner: 'dialling', paths: names, words: 'being connected' };
  if (multipath && names.length > 1) {
    return { manner: 'several', paths: names, words: `${relayed}, over ${names.join(' and ')}` };
  }
  if (mptcp) {
    return { manner: 'one', paths: names, words: `${relayed}, over ${on(names)}; others can join` };
  }
  if (/fell back/i.test(reason)) return { manner: 'fell-back', paths: names, words: reason };
  return { manner: 'straight', paths: names, words: `plain TCP over ${on(names)}. ${reason}` };
}

/** What the connections of one page have in common. */
export interface PageSummary {
  readonly counts: Readonly<Record<Manner, number>>;
  /** One line for each way, with the reason where it is one path only. */
  readonly lines: readonly string[];
}

/**
 * Sums up how a page's connections leave this machine.
 *
 * @param hosts Names of the hosts that the page loaded something from.
 */
export function explainPage(
  hosts: ReadonlySet<string>,
  connections: readonly ConnectionStatus[],
  paths: readonly PathStatus[],
): PageSummary {
  const counts: Record<Manner, number> = { several: 0, one: 0, straight: 0, 'fell-back': 0, dialling: 0 };
  const reasons = new Map<string, number>();
  for (const connection of connections) {
    if (!hosts.has(hostOf(connection.target))) continue;
    const { manner, words } = explainConnection(connection, paths);
    counts[manner] += 1;
    reasons.set(words, (reasons.get(words) ?? 0) + 1);
  }
  const lines = [...reasons].map(
    ([words, times]) => `${times} ${times === 1 ? 'connection' : 'connections'} ${words}`,
  );
  return { counts, lines };
}

/** @param place `host:port`, an IPv6 address in brackets. */
export function hostOf(place: string): string {
  return place.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

function pathOf(local: string, paths: readonly Pick<PathStatus, 'name' | 'addresses'>[]): string | undefined {
  return paths.find(({ addresses }) => addresses.includes(hostOf(local)))?.name;
}

function on(names: readonly string[]): string {
  return names.length === 0 ? 'no path of yours' : names.join(' and ');
}
