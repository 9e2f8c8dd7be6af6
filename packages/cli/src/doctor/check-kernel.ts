import { release } from 'node:os';
import { errorMessage } from '@manypath/core';
import { connect, createServer, diffCounters, info, mibCounters, reasonText } from '@manypath/mptcp';
import { bad, type Finding, good } from './finding.ts';
import { sysctl, wrongSysctl } from './sysctl.ts';

/** Releases that brought something, latest first, and what is missing before. */
const milestones = [
  [[6, 18], 'paths to servers that announce further addresses (laminar endpoints)'],
  [[6, 5], 'byte counts of subflows'],
  [[5, 19], 'choosing the subflows of single connections'],
  [[5, 16], 'telling what connections are made of'],
] as const;

/** Whether this kernel speaks Multipath TCP, and does so now. */
export async function checkKernel(): Promise<Finding[]> {
  const enabled = sysctl('net.mptcp.enabled');
  if (enabled === undefined) {
    return [
      bad('kernel', `Linux ${release()} was built without Multipath TCP`, 'use a kernel of 6.6 or later'),
    ];
  }
  if (enabled === '0') {
    return [wrongSysctl('mptcp-enabled', 'Multipath TCP is switched off', 'net.mptcp.enabled', '1')];
  }
  return [versionFinding(), await loopbackFinding()];
}

function versionFinding(): Finding {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const missing = milestones.flatMap(([[sinceMajor, sinceMinor], what]) =>
    major > sinceMajor || (major === sinceMajor && minor >= sinceMinor) ? [] : [what],
  );
  const tooOld = major < 5 || (major === 5 && minor < 19);
  if (missing.length === 0) return good('kernel', `Linux ${release()} has all that Manypath uses`);
  const cause = `Linux ${release()} lacks ${missing.join(', ')}`;
  return tooOld ? bad('kernel', cause, 'use a kernel of 6.6 or later') : good('kernel', cause);
}

/** A connection with ourselves: nothing on the way can be to blame. */
async function loopbackFinding(): Promise<Finding> {
  const before = mibCounters();
  try {
    const server = await createServer({ host: '127.0.0.1', port: 0 }, socket => socket.destroy());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    const socket = await connect({ host: '127.0.0.1', port: address.port, timeout: 3000 });
    socket.on('error', () => {});
    const { multipath, reason } = info(socket);
    socket.destroy();
    server.close();
    if (multipath) return good('mptcp-works', 'Multipath TCP works on this machine');
    if ((diffCounters(before, mibCounters()).MPTcpExtMPCapableSYNTXDisabled ?? 0) > 0) return blackhole();
    return bad(
      'mptcp-works',
      `it does not, even with ourselves: ${reasonText(reason)}`,
      'see the kernel log',
    );
  } catch (error) {
    return bad('mptcp-works', `no connection with ourselves: ${errorMessage(error)}`, 'see the kernel log');
  }
}

/** Writing the sysctl, whatever the value, ends the pause that is running. */
function blackhole(): Finding {
  const value = sysctl('net.mptcp.blackhole_timeout') ?? '3600';
  return wrongSysctl(
    'blackhole-timer',
    'Multipath TCP is paused, because a network dropped it lately',
    'net.mptcp.blackhole_timeout',
    value,
  );
}
