import {
  type ConnectionStatus,
  formatBytes,
  formatDuration,
  type LaneStatus,
  type StatusDocument,
  waitingWords,
} from '@manypath/core';
import { multipathLines } from './multipath-text.ts';
import { paint } from './paint.ts';
import { healthText, pathsInColour } from './paths-text.ts';
import { textTable } from './text-table.ts';

const shownConnections = 20;

/** The status of a gateway as a person reads it, at most 80 columns wide. */
export function statusText(status: StatusDocument): string {
  const sections = [
    relaySection(status),
    pathsSection(status),
    connectionsSection(status),
    totalsLine(status),
  ];
  return `${sections.join('\n\n')}\n`;
}

function relaySection({ relay, multipath }: StatusDocument): string {
  const use = multipathLines(multipath);
  if (relay === null) return use;
  const reason = relay.reason === null ? '' : ` (${relay.reason})`;
  const retry = relay.retryInMs === null ? '' : `, next try in ${formatDuration(relay.retryInMs)}`;
  const lanes = relay.lanes.map(lane =>
    [lane.state, ...pathsOf(lane), `${lane.streams} streams`, ...protocolOf(lane)].join(', '),
  );
  return [
    paint(
      relay.state === 'ready' ? 'green' : 'red',
      `Relay ${relay.address}: ${relay.state}${reason}${retry}`,
    ),
    ...(relay.waiting === null ? [] : [paint('red', `  ${waitingWords(relay.waiting)}`)]),
    ...(relay.resumed === 0
      ? []
      : [
          `  ${relay.resumed === 1 ? '1 connection' : `${relay.resumed} connections`} went on after an outage`,
        ]),
    ...lanes.map(line => `  lane: ${line}`),
    use,
  ].join('\n');
}

/** Nothing of one whose path is dead, nor of a proxy that gets a connection for each tunnel. */
function pathsOf({ multipath, subflows }: LaneStatus): string[] {
  if (subflows.length === 0) return [];
  return [multipath ? `${subflows.length} subflows` : 'one path'];
}

/** Nothing of the usual one. */
function protocolOf({ protocol }: LaneStatus): string[] {
  if (protocol === 'manypath/1') return [];
  return [protocol === 'h2' ? 'HTTP/2' : 'HTTP/1.1'];
}

function pathsSection({ paths }: StatusDocument): string {
  if (paths.length === 0) return 'No path: no interface has an address and a gateway.';
  const rows = paths.map(path => [
    path.name,
    path.kind,
    path.addresses.join(' '),
    path.usage.capReached ? `${path.tier}!` : path.tier,
    path.endpoint ? healthText(path) : `${healthText(path)}, no endpoint`,
    formatBytes(path.usage.todayBytes),
  ]);
  const table = textTable(['PATH', 'KIND', 'ADDRESSES', 'TIER', 'HEALTH', 'TODAY'], rows, [
    'left',
    'left',
    'left',
    'left',
    'left',
    'right',
  ]);
  const reasons = paths.flatMap(({ name, healthReason }) =>
    healthReason === null ? [] : [`${name}: ${healthReason}`],
  );
  return [pathsInColour(table, paths), ...reasons].join('\n');
}

function connectionsSection({ connections }: StatusDocument): string {
  if (connections.length === 0) return 'No connection is open.';
  const rows = connections
    .slice(0, shownConnections)
    .map(connection => [
      connection.target ?? 'a host',
      connection.route ?? '…',
      howCarried(connection),
      formatBytes(connection.bytesIn),
      formatBytes(connection.bytesOut),
      formatDuration(connection.ageMs),
    ]);
  const table = textTable(['TARGET', 'ROUTE', 'HOW', 'IN', 'OUT', 'AGE'], rows, [
    'left',
    'left',
    'left',
    'right',
    'right',
    'right',
  ]);
  const more = connections.length - shownConnections;
  return more > 0 ? `${table}\n… and ${more} more` : table;
}

function howCarried({ state, mptcp, subflows, reason }: ConnectionStatus): string {
  if (state === 'waiting') return 'waits for a network';
  if (!mptcp) return reason;
  return subflows.length === 1 ? '1 subflow' : `${subflows.length} subflows`;
}

function totalsLine({ totals }: StatusDocument): string {
  const failed = totals.failed > 0 ? `, ${totals.failed} failed` : '';
  return (
    `${totals.connections} open, ${totals.opened} since the start${failed}; ` +
    `${formatBytes(totals.bytesIn)} in, ${formatBytes(totals.bytesOut)} out`
  );
}
