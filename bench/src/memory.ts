import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, inArena } from './arena.ts';
import { saveResult } from './results.ts';
import { formatTable } from './table.ts';
import { Load, names, type Way } from './ways.ts';

/** What {@link memory} measures. */
export interface MemoryOptions {
  /** Tunnels that are open at once. */
  readonly tunnels: number;
  /** How long they are idle before memory is read, in milliseconds: what is collected has been by then. */
  readonly settleMs: number;
  /** Measure only ways in whose names this occurs, and those that they are compared with. */
  readonly only?: string;
}

interface Row {
  readonly name: string;
  readonly before: number;
  readonly open: number;
  readonly lost: number;
  readonly failure: string;
}

/**
 * What open tunnels take that nobody uses: each is opened and used once, all are left alone, and memory is read; then each is used
 * once more, and none may be lost.
 */
export async function memory({ tunnels, settleMs, only }: MemoryOptions): Promise<void> {
  await inArena(only, async arena => {
    const rows: Row[] = [];
    for (const way of arena.ways) {
      if (way.processes.length === 0 || way.name.endsWith('CONNECT')) continue;
      rows.push(await measure(arena, way, tunnels, settleMs));
      process.stderr.write(`${way.name}: done\n`);
    }
    report(rows, { tunnels, settleMs });
    // A peer may give up; that is its own affair.
    if (rows.some(({ name, lost }) => name.startsWith(names.relayed) && lost > 0)) process.exitCode = 1;
  });
}

async function measure(arena: Arena, way: Way, tunnels: number, settleMs: number): Promise<Row> {
  const before = memoryOf(way);
  const load = new Load(arena, way, ['hold', String(tunnels)]);
  const opened = await load.report();
  await sleep(settleMs);
  const open = memoryOf(way);
  load.again();
  const used = await load.report();
  await load.end();
  // What was lost at first is not counted again.
  return { name: way.name, before, open, lost: used.failed, failure: opened.failure || used.failure };
}

/** Memory of the programs on a way in bytes; what they share counts for each in part (PSS). */
function memoryOf({ processes }: Way): number {
  return processes.reduce((sum, { pid }) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return sum + Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN) * 1024;
  }, 0);
}

function report(rows: readonly Row[], options: MemoryOptions): void {
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  process.stdout.write(
    `${options.tunnels} open tunnels, each used once, all programs of a way together (PSS)\n\n`,
  );
  process.stdout.write(
    formatTable(
      ['way', 'before', 'open', 'each', 'lost', ''],
      rows.map(({ name, before, open, lost, failure }) => [
        name,
        megabytes(before),
        megabytes(open),
        `${((open - before) / options.tunnels / 1e3).toFixed(0)} kB`,
        String(lost),
        failure,
      ]),
    ),
  );
  saveResult('memory', { ...options, results: rows });
}
