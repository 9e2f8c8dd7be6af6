import { formatAuthority } from '@manypath/core';
import { textTable } from '../terminal/text-table.ts';
import type { OriginCheck, PathCheck } from './check-origin.ts';

/** What a check found as a person reads it, at most 80 columns wide. */
export function checkText(check: OriginCheck): string {
  const { paths, mptcp } = check;
  const rows = paths.map(path => [
    path.path ?? '(near)',
    path.address ?? '-',
    path.mptcp ? 'yes' : path.mptcp === null ? '-' : mptcp === null ? '?' : 'no',
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
  return `${[...wrapped(verdictOf(check)), '', table, ...paths.flatMap(remarks)].join('\n')}\n`;
}

function verdictOf(check: OriginCheck): string {
  const { paths, mptcp } = check;
  const place = formatAuthority(check);
  const reached = paths.filter(({ address }) => address !== null);
  if (reached.length === 0) return `${place} cannot be reached.`;
  if (mptcp === null)
    return `Whether ${place} speaks Multipath TCP cannot be told: this kernel does not speak it now.`;
  if (!mptcp) return `${place} does not speak Multipath TCP.`;
  return `${place} speaks Multipath TCP${reached.every(path => path.mptcp) ? '' : ', but not over every path'}.`;
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
