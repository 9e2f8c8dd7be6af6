import {
  formatBytes,
  formatDuration,
  formatRate,
  type RelayStatus,
  type StatusDocument,
} from '@manypath/core';
import { healthText } from './paths-text.ts';
import { sparkline } from './sparkline.ts';
import type { ConnectionRate, PathHistory, StatusView } from './status-history.ts';

/** How large the view may be. */
export interface ViewSize {
  readonly columns: number;
  /** Lines; `undefined` for as many as there are. */
  readonly rows: number | undefined;
}

/** Below this many columns what matters less is left out. */
const narrowColumns = 76;
/** Beyond this many there is room for more. */
const wideColumns = 100;

/** A live view of a gateway: paths with their rates and round trips, connections with theirs. */
export function watchText(view: StatusView, { columns, rows }: ViewSize): string[] {
  const lines = [
    relayLine(view.status.relay),
    '',
    ...pathLines(view.paths, columns),
    '',
    connectionsLine(view.status),
  ];
  const room = rows === undefined ? Number.POSITIVE_INFINITY : rows - lines.length;
  lines.push(...connectionLines(view.connections, columns, room));
  return lines.slice(0, rows).map(line => cut(line, columns).trimEnd());
}

function relayLine(relay: RelayStatus | null): string {
  if (relay === null) return 'No relay';
  const streams = relay.lanes.reduce((sum, lane) => sum + lane.streams, 0);
  const lanes = `${count(relay.lanes.length, 'lane')}, ${count(streams, 'stream')}`;
  const retry = relay.retryInMs === null ? '' : `, next try in ${formatDuration(relay.retryInMs)}`;
  const state = relay.state === 'ready' ? lanes : `${relay.state}${retry}`;
  return plain(`Relay ${relay.address}: ${state}${relay.reason === null ? '' : ` (${relay.reason})`}`);
}

function pathLines(paths: readonly PathHistory[], columns: number): string[] {
  if (paths.length === 0) return ['No path: no interface has an address and a gateway.'];
  const isWide = columns >= wideColumns;
  const name = Math.max(4, ...paths.map(({ path }) => path.name.length));
  const health = Math.max(6, ...paths.map(({ path }) => healthText(path).length));
  // PATH TIER HEALTH IN-spark IN OUT-spark OUT RTT-spark RTT, with a space between any two.
  const fixed = name + 9 + health + 3 * 11 + 8;
  const room = Math.max(0, columns - fixed);
  const spark = isWide
    ? { in: Math.floor(room * 0.5), out: Math.floor(room * 0.25), rtt: Math.floor(room * 0.25) }
    : { in: Math.floor(room * 0.6), out: 0, rtt: Math.floor(room * 0.4) };
  const top = Math.max(1, ...paths.flatMap(path => path.inRates.slice(-spark.in)));
  const topOut = Math.max(1, ...paths.flatMap(path => path.outRates.slice(-spark.out)));
  const row = (cells: readonly string[], sparks: readonly [string, string, string]): string => {
    const [path = '', tier = '', state = '', into = '', out = '', rtt = ''] = cells;
    return [
      path.padEnd(name),
      tier.padEnd(9),
      state.padEnd(health),
      withSpark(sparks[0], into, spark.in),
      withSpark(sparks[1], out, spark.out),
      withSpark(sparks[2], rtt, spark.rtt),
    ].join(' ');
  };
  const head = row(['PATH', 'TIER', 'HEALTH', 'IN', 'OUT', 'RTT'], ['', '', '']);
  return [
    head,
    ...paths.map(({ path, inRates, outRates, rttsMs }) =>
      row(
        [
          path.name,
          path.usage.capReached ? `${path.tier}!` : path.tier,
          healthText(path),
          formatRate(inRates.at(-1) ?? 0),
          formatRate(outRates.at(-1) ?? 0),
          rttText(rttsMs.at(-1) ?? 0),
        ],
        [
          sparkline(inRates.slice(-spark.in || inRates.length), top),
          sparkline(outRates.slice(-spark.out || outRates.length), topOut),
          // Each path by itself: what matters is whether it grows.
          sparkline(
            rttsMs.slice(-spark.rtt || rttsMs.length),
            1.2 * Math.max(1, ...rttsMs.slice(-spark.rtt)),
          ),
        ],
      ),
    ),
    ...paths.flatMap(({ path }) => pathNotes(path)),
  ];
}

function pathNotes({ name, healthReason, usage, tier }: PathHistory['path']): string[] {
  const { capReached, dailyCapBytes, monthlyCapBytes, todayBytes, monthBytes } = usage;
  const notes: string[] = [];
  if (healthReason !== null) notes.push(plain(`  ${name}: ${healthReason}`));
  if (dailyCapBytes !== null)
    notes.push(`  ${name}: ${formatBytes(todayBytes)} of ${formatBytes(dailyCapBytes)} today`);
  if (monthlyCapBytes !== null) {
    notes.push(`  ${name}: ${formatBytes(monthBytes)} of ${formatBytes(monthlyCapBytes)} this month`);
  }
  if (capReached) notes.push(`  ${name}: its cap is reached, so it is ${tier} now`);
  return notes;
}

/** A sparkline of `width` and 11 columns of figures right of it. */
function withSpark(spark: string, text: string, width: number): string {
  return `${spark.padStart(width)}${text.padStart(11)}`;
}

function connectionsLine({ totals }: StatusDocument): string {
  const failed = totals.failed > 0 ? `, ${totals.failed} failed` : '';
  return (
    `${count(totals.connections, 'connection')} open, ${totals.opened} since the start${failed}; ` +
    `${formatBytes(totals.bytesIn)} in, ${formatBytes(totals.bytesOut)} out`
  );
}

function connectionLines(connections: readonly ConnectionRate[], columns: number, room: number): string[] {
  if (connections.length === 0 || room < 2) return [];
  const isNarrow = columns < narrowColumns;
  const isWide = columns >= wideColumns;
  const how = isWide ? 30 : 10;
  // TARGET ROUTE HOW IN OUT AGE
  const target = columns - (6 + how + 11 + (isNarrow ? 0 : 12) + 9 + 4);
  const row = (cells: readonly string[]): string => {
    const [name = '', route = '', paths = '', into = '', out = '', age = ''] = cells;
    return [
      cut(name, target).padEnd(target),
      route.padEnd(5),
      cut(paths, how).padEnd(how),
      into.padStart(11),
      ...(isNarrow ? [] : [out.padStart(11)]),
      age.padStart(9),
    ].join(' ');
  };
  const shown = connections.length <= room - 1 ? connections.length : room - 2;
  const rows = connections
    .slice(0, shown)
    .map(({ connection, inRate, outRate }) =>
      row([
        plain(connection.target),
        connection.route ?? '…',
        connection.multipath ? pathsOf(connection.subflows.length) : plain(connection.reason),
        formatRate(inRate),
        formatRate(outRate),
        formatDuration(Math.floor(connection.ageMs / 1000) * 1000),
      ]),
    );
  const more = connections.length - shown;
  return [
    row(['TARGET', 'ROUTE', 'HOW', 'IN', 'OUT', 'AGE']),
    ...rows,
    ...(more > 0 ? [`… and ${more} more`] : []),
  ];
}

function pathsOf(subflows: number): string {
  return count(subflows, 'subflow');
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

function rttText(milliseconds: number): string {
  if (milliseconds === 0) return '-';
  return milliseconds < 9.95 ? `${milliseconds.toFixed(1)} ms` : formatDuration(milliseconds);
}

/** A name from outside must not steer the terminal. */
function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, '?');
}

function cut(text: string, columns: number): string {
  const letters = [...text];
  return letters.length > columns ? `${letters.slice(0, Math.max(0, columns - 1)).join('')}…` : text;
}
