import { mibCounters, mibMeanings } from '@manypath/mptcp';
import { bad, type Finding, good } from './finding.ts';

/** Counters that say that something is wrong, and what can be done; the others are told of as they are. */
const remedies: Readonly<Record<string, string>> = {
  MPTcpExtMPJoinRejected: 'raise the limit on both ends: ip mptcp limits set subflows 8',
  MPTcpExtMPJoinNoTokenFound: 'a load balancer is in front of the server: ask whoever runs it',
  MPTcpExtMPJoinSynTxBindErr: 'see whether the addresses of all paths are still there: ip address',
  MPTcpExtMPJoinSynTxConnectErr: 'see whether all paths have a default route: ip route',
  MPTcpExtDataCsumErr: 'a proxy of the provider rewrites traffic: use another port of the relay, such as 443',
  MPTcpExtDssFallback: 'a middlebox strips Multipath TCP: use another port of the relay, such as 443',
  MPTcpExtDSSCorruptionFallback:
    'a middlebox damages Multipath TCP: use another port of the relay, such as 443',
  MPTcpExtDSSCorruptionReset: 'a middlebox damages Multipath TCP: use another port of the relay, such as 443',
};

/** A few failures are nothing: networks come and go. */
const notable = 3;

/** What the kernel has counted since it started, of what stops Multipath TCP. */
export function checkCounters(counters = mibCounters()): Finding[] {
  const findings: Finding[] = [];
  for (const [name, meaning] of Object.entries(mibMeanings)) {
    const count = counters[name] ?? 0;
    const remedy = remedies[name];
    if (remedy === undefined || count < notable) continue;
    findings.push(
      bad(`counter-${name.replace('MPTcpExt', '')}`, `${count} times since the start: ${meaning}`, remedy),
    );
  }
  return findings.length > 0 ? findings : [good('counters', 'the kernel has counted nothing unusual')];
}
