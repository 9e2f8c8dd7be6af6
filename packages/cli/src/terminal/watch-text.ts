import {
  formatBytes,
  formatDuration,
  formatRate,
  type RelayStatus,
  type StatusDocument,
  waitingWords,
} from '@manypath/core';
import { multipathLines } from './multipath-text.ts';
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
    ...(view.status.relay === null ? [] : [relayLine(view.status.relay)]),
    ...multipathLines(view.status.multipath).split('\n').map(plain),
    '',
    ...pathLines(view.paths, columns),
    '',
    connectionsLine(view.status),
  ];
  const room = rows === undefined ? Number.POSITIVE_INFINITY : rows - lines.length;
  lines.push(...connectionLines(view.connections, columns, room));
  return lines.slice(0, rows).map(line => cut(line, columns).trimEnd());
}

function relayLine(relay: RelayStatus): string {
  const streams = relay.lanes.reduce((sum, lane) => sum + lane.streams, 0);
  const lanes = `${count(relay.lanes.length, 'lane')}, ${count(streams, 'stream')}`;
  const retry = relay.retryInMs === null ? '' : `, next try in ${formatDuration(relay.retryInMs)}`;
  if (relay.waiting !== null) return plain(`Relay ${relay.address}: ${waitingWords(relay.waiting)}`);
  const state = relay.state === 'ready' ? lanes : `${relay.state}${retry}`;
  return plain(`Relay ${relay.address}: ${state}${relay.reason === null ? '' : ` (${relay.reason})`}`);
}

function pathLines(paths: readonly PathHistory[], columns: number): string[] {
  if (paths.length === 0) return ['No path: no interface has an address and a gateway.'];
  const name = Math.max(4, ...paths.map(({ path }) => path.name.length));
  const health = Math.max(6, ...paths.map(({ path }) => healthText(path).length));
  const spark = sparkColumns(columns - (name + tierColumns + health + 4), columns);
  const top = highest(paths, ({ inRates }) => inRates.slice(-kept(spark.in)));
  const topOut = highest(paths, ({ outRates }) => outRates.slice(-kept(spark.out)));
  const row = (path: string, tier: string, state: string, figures: readonly (string | undefined)[]): string =>
    [
      path.padEnd(name),
      tier.padEnd(tierColumns),
      state.padEnd(health),
      ...figures.filter(text => text !== undefined),
    ].join(' ');
  const cells = (into: string, out: string, rtt: string) => [
    into.padStart(spark.in + rateColumns),
    spark.out === undefined ? undefined : out.padStart(spark.out + rateColumns),
    rtt.padStart(spark.rtt + rttColumns),
  ];
  return [
    row('PATH', 'TIER', 'HEALTH', cells('IN', 'OUT', 'RTT')),
    ...paths.map(({ path, inRates, outRates, rttsMs }) => {
      const tier = path.usage.capReached ? `${path.tier}!` : path.tier;
      const rtts = rttsMs.slice(-kept(spark.rtt));
      const figures = cells(
        figure(inRates, spark.in, top, formatRate(inRates.at(-1) ?? 0).padStart(rateColumns)),
        figure(outRates, spark.out, topOut, formatRate(outRates.at(-1) ?? 0).padStart(rateColumns)),
        // Each path by itself: what matters is whether it grows.
        figure(
          rttsMs,
          spark.rtt,
          1.2 * Math.max(1, ...rtts),
          rttText(rttsMs.at(-1) ?? 0).padStart(rttColumns),
        ),
      );
      return row(path.name, tier, healthText(path), figures);
    }),
    ...paths.flatMap(({ path }) => pathNotes(path)),
  ];
}

/** `secondary`, and a mark for a cap that is reached. */
const tierColumns = 9;
/** A space and `99.9 Mbit/s`. */
const rateColumns = 12;
/** `1 min 5 s` is no round trip any more. */
const rttColumns = 7;

interface SparkColumns {
  readonly in: number;
  /** `undefined` when there is no room for the figure either. */
  readonly out: number | undefined;
  readonly rtt: number;
}

/** Shares what the figures leave of `room`. */
function sparkColumns(room: number, columns: number): SparkColumns {
  if (columns < narrowColumns) {
    return { in: Math.max(0, room - rateColumns - rttColumns), out: undefined, rtt: 0 };
  }
  const left = Math.max(0, room - 1 - 2 * rateColumns - rttColumns);
  const part = (share: number): number => Math.floor(left * share);
  if (columns < wideColumns) return { in: part(0.6), out: 0, rtt: part(0.4) };
  return { in: part(0.5), out: part(0.25), rtt: part(0.25) };
}

function figure(series: readonly number[], columns: number | undefined, top: number, text: string): string {
  return `${columns ? sparkline(series.slice(-columns), top) : ''}${text}`;
}

function highest(paths: readonly PathHistory[], of: (path: PathHistory) => readonly number[]): number {
  return Math.max(1, ...paths.flatMap(of));
}

function kept(columns: number | undefined): number {
  return Math.max(1, columns ?? 1);
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
        connection.mptcp ? pathsOf(connection.subflows.length) : plain(connection.reason),
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
