import { formatBytes, formatDuration, type PathStatus, type PathUsage } from '@manypath/core';
import { paint } from './paint.ts';
import { textTable } from './text-table.ts';

/** The paths as a person reads them, at most 80 columns wide. */
export function pathsText(paths: readonly PathStatus[]): string {
  if (paths.length === 0) {
    return 'No path: no interface has an address and a gateway.\n(ip route shows what there is.)\n';
  }
  const rows = paths.map(path => [
    path.name,
    path.kind,
    path.usage.capReached ? `${path.tier}!` : path.tier,
    healthText(path),
    rateText(path),
    path.rttMs === null ? '-' : formatDuration(path.rttMs),
    formatBytes(path.usage.todayBytes),
    formatBytes(path.usage.monthBytes),
  ]);
  const table = textTable(['PATH', 'KIND', 'TIER', 'HEALTH', 'MBIT/S', 'RTT', 'TODAY', 'MONTH'], rows, [
    'left',
    'left',
    'left',
    'left',
    'right',
    'right',
    'right',
    'right',
  ]);
  return `${[pathsInColour(table, paths), ...notes(paths)].join('\n')}\n`;
}

/** A table of paths, a row each below its head: those that carry nothing now in red, those in doubt in yellow. */
export function pathsInColour(table: string, paths: readonly PathStatus[]): string {
  return table
    .split('\n')
    .map((line, index) => {
      const path = paths[index - 1];
      if (path === undefined) return paint('bold', line);
      if (!path.up || !path.carrier || path.health === 'dead' || path.health === 'captive')
        return paint('red', line);
      return path.health === 'degraded' ? paint('yellow', line) : line;
    })
    .join('\n');
}

/** `up`, or what is the matter. */
export function healthText({ up, carrier, health }: PathStatus): string {
  if (!up) return 'off';
  return carrier ? health : 'no carrier';
}

function rateText({ downMbps, upMbps }: PathStatus): string {
  if (downMbps === null && upMbps === null) return '-';
  return `${mbps(downMbps)}/${mbps(upMbps)}`;
}

function mbps(rate: number | null): string {
  if (rate === null) return '?';
  return rate < 9.95 ? rate.toFixed(1) : rate.toFixed(0);
}

/** What does not fit into a row: networks, and why something is not as it should be. */
function notes(paths: readonly PathStatus[]): string[] {
  return paths.flatMap(({ name, network, healthReason, usage, tier }) => [
    ...(network === null ? [] : [networkNote(name, network)]),
    ...(healthReason === null ? [] : [`${name}: ${healthReason}`]),
    ...capNotes(name, usage),
    ...(usage.capReached ? [`${name} is ${tier} now because its cap is reached`] : []),
  ]);
}

/** A network without a name of its own is told by its router, which discovery names after the interface. */
function networkNote(name: string, network: string): string {
  const router = network.startsWith(`${name} via `) ? network.slice(`${name} via `.length) : undefined;
  return router === undefined ? `${name} leads into ${network}` : `${name} leads to the router ${router}`;
}

function capNotes(name: string, usage: PathUsage): string[] {
  const { todayBytes, dailyCapBytes, monthBytes, monthlyCapBytes } = usage;
  const parts = [
    ...(dailyCapBytes === null ? [] : [`${formatBytes(todayBytes)} of ${formatBytes(dailyCapBytes)} today`]),
    ...(monthlyCapBytes === null
      ? []
      : [`${formatBytes(monthBytes)} of ${formatBytes(monthlyCapBytes)} this month`]),
  ];
  return parts.length === 0 ? [] : [`${name}: ${parts.join(', ')}`];
}
