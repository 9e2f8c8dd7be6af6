import type { MultipathFacts, RelayStatus } from '@manypath/core';
import { multipathSupport } from '@manypath/mptcp';

/** Whether this kernel speaks Multipath TCP now, in the words of `judgeMultipath`. */
export function kernelSupport(): MultipathFacts['kernel'] {
  const reason = multipathSupport();
  if (reason === 'switched-off' || reason === 'blocked') return reason;
  return reason === 'multipath' ? 'works' : 'kernel-without-mptcp';
}

/** What `judgeMultipath` wants to know of the relay. */
export function relayFacts(
  { state, lanes }: RelayStatus,
  failover: 'refuse' | 'straight',
): NonNullable<MultipathFacts['relay']> {
  return {
    failover,
    ready: state === 'ready',
    lanes: lanes.map(({ mptcp, subflows }) => ({
      mptcp,
      paths: subflows.flatMap(({ path }) => path ?? []),
    })),
  };
}
