import { formatAuthority } from '@manypath/core';
import { textTable } from '../terminal/text-table.ts';
import type { OriginCheck, PathCheck } from './check-origin.ts';

/** What a check found as a person reads it, at most 80 columns wide. */
export function checkText(check: OriginCheck): string {
  const { paths, mptcp } = check;
  const place = formatAuthority(check);
  const reached = paths.filter(({ address }) => address !== null);
  const verdict =
    reached.length === 0
      ? `${place} cannot be reached.`
      : mptcp
        ? `${place} speaks Multipath TCP${reached.every(path => path.mptcp) ? '' : ', but not over every path'}.`
        : `${place} does not speak Multipath TCP.`;
  const rows = paths.map(path => [
    path.path ?? '(near)',
    path.address ?? '-',
    path.mptcp ? 'yes' : 'no',
    path.rttMs === null ? '-' : `${path.rttMs.toFixed(1)} ms`,
    path.join ?? '-',
  ]);
  const table = textTable(['PATH', 'ADDRESS', 'MPTCP', 'RTT', 'OTHER PATHS JOIN'], rows, [
    'left',
    'left',
    'left',
    'right',
    'left',
  ]);
  return `${[verdict, '', table, ...paths.flatMap(remarks)].join('\n')}\n`;
}

function remarks(path: PathCheck): string[] {
  const reasons = [path.reason, ...(path.joinReason === null ? [] : [path.joinReason])];
  return wrapped(`${path.path ?? '(near)'}: ${reasons.join(' ')}`);
}

const columns = 80;

function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = `  ${word}`;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
