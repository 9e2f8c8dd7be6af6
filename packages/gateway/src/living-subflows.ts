import { type PathStatus, parseAuthority, type SubflowStatus } from '@manypath/core';

/** What is told of a connection or a lane that has subflows. */
interface Carrier {
  readonly mptcp: boolean;
  readonly multipath: boolean;
  readonly subflows: readonly SubflowStatus[];
}

/** Leaves out subflows on paths that are dead, and calls multipath only what has two paths left or more. */
export function living<C extends Carrier>(carriers: readonly C[], paths: readonly PathStatus[]): C[] {
  const pathOf = new Map(paths.flatMap(path => path.addresses.map(address => [address, path] as const)));
  return carriers.map(carrier => {
    const subflows = carrier.subflows.filter(({ local }) => pathOf.get(hostOf(local))?.health !== 'dead');
    const used = new Set(subflows.map(({ local }) => pathOf.get(hostOf(local))?.name ?? hostOf(local)));
    return { ...carrier, multipath: carrier.mptcp && used.size > 1, subflows };
  });
}

function hostOf(place: string): string {
  return parseAuthority(place).host;
}
