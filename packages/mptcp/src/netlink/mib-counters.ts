import { readFileSync } from 'node:fs';
import { inNamespace } from '../namespace.ts';
import { NetlinkUnsupportedError } from './errors.ts';

/**
 * The kernel's counters of TCP and Multipath TCP, under the names that `nstat` shows: `TcpExt…` and `MPTcpExt…`. They
 * count from the making of the network namespace; only `MPTcpExtMPCurrEstab` goes down as well. Which there are
 * depends on the kernel. Those that tell what stops Multipath TCP are named here.
 */
export interface MibCounters extends Readonly<Record<string, number>> {}

/** What a counter that has gone up says, for people. */
export const mibMeanings: Readonly<Record<string, string>> = {
  MPTcpExtMPCapableFallbackSYNACK: 'the other side, or something on the way, does not speak Multipath TCP',
  MPTcpExtMPCapableFallbackACK: 'Multipath TCP was dropped from the third packet of a handshake',
  MPTcpExtMPCapableSYNTXDrop: 'handshakes with Multipath TCP went unanswered, and were done without it',
  MPTcpExtMPCapableSYNTXDisabled: 'Multipath TCP was not asked for, because it went unanswered lately',
  MPTcpExtBlackhole: 'Multipath TCP was switched off for a time, because it went unanswered',
  MPTcpExtMPJoinNoTokenFound: 'a subflow reached a machine that does not know its connection',
  MPTcpExtMPJoinRejected: 'a subflow was refused, the limit of subflows being reached',
  MPTcpExtMPJoinSynTxBindErr: 'a subflow could not leave from its address or device',
  MPTcpExtMPJoinSynTxConnectErr: 'a subflow had no route to the other side',
  MPTcpExtMPJoinSynAckHMacFailure: 'the answer to a subflow was not from the other side of its connection',
  MPTcpExtMPJoinAckHMacFailure: 'a subflow was not from the other side of its connection',
  MPTcpExtDssFallback: 'something on the way took Multipath TCP out of a running connection',
  MPTcpExtDSSCorruptionFallback:
    'something on the way damages Multipath TCP, and connections went on without it',
  MPTcpExtDSSCorruptionReset: 'something on the way damages Multipath TCP, and subflows were closed',
  MPTcpExtDataCsumErr: 'something on the way rewrites what connections carry',
  MPTcpExtAddAddrDrop: 'addresses of the other side were not taken, the limit being reached',
  MPTcpExtSubflowStale: 'a subflow did not answer, and its data went over others',
};

/**
 * Reads the counters of this thread's network namespace, or of another.
 *
 * @throws NetlinkUnsupportedError `MPTCP_NETLINK_UNSUPPORTED` where there are none (not Linux)
 */
export function mibCounters(options: { namespace?: string | number } = {}): MibCounters {
  const read = (): string => readFileSync('/proc/thread-self/net/netstat', 'latin1');
  let text: string;
  try {
    text = options.namespace === undefined ? read() : inNamespace(options.namespace, read);
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause) || !('path' in cause)) throw cause;
    throw new NetlinkUnsupportedError('read the network counters', 'this system has no /proc/net/netstat', {
      cause,
    });
  }
  return parseNetstat(text);
}

/** Reads pairs of lines, one with names and one with numbers. What is not such a pair is left out. */
export function parseNetstat(text: string): Record<string, number> {
  const counters: Record<string, number> = {};
  const lines = text.split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const [group, ...names] = (lines[i] ?? '').split(' ');
    const [sameGroup, ...values] = (lines[i + 1] ?? '').split(' ');
    if (group !== sameGroup || (group !== 'MPTcpExt:' && group !== 'TcpExt:')) continue;
    names.forEach((name, n) => {
      const value = values[n] ?? '';
      if (/^-?\d+$/.test(value) && /^\w+$/.test(name)) counters[group.slice(0, -1) + name] = Number(value);
    });
  }
  return counters;
}

/** What has changed from `before` to `after`, by how much; counters that stayed the same are left out. */
export function diffCounters(before: MibCounters, after: MibCounters): Record<string, number> {
  const changes: Record<string, number> = {};
  for (const [name, value] of Object.entries(after)) {
    const change = value - (before[name] ?? 0);
    if (change !== 0) changes[name] = change;
  }
  return changes;
}
