import { type Arena, inArena } from './arena.ts';
import { saveResult } from './results.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';
import { cpuOf, names, runLoad, type Way } from './ways.ts';

/** What {@link tunnelCost} measures. */
export interface TunnelCostOptions {
  /** Times every way gets its turn; one more round before that is not counted. */
  readonly rounds: number;
  /** Bytes of one turn, over all its streams. */
  readonly bytes: number;
  /** Measure only ways in whose names this occurs, and those that they are compared with. */
  readonly only?: string;
}

type Direction = 'down' | 'up';

interface Job {
  readonly streams: number;
  readonly direction: Direction;
}

interface Turn {
  readonly cpuSecondsPerGb: number;
  readonly mbitPerSecond: number;
}

const gigabyte = 1e9;

const jobs: readonly Job[] = [1, 8].flatMap(streams =>
  (['down', 'up'] as const).map(direction => ({ streams, direction })),
);

/** What bulk costs the programs on the way, and how fast it is: one stream and eight, down and up, over links without limits. */
export async function tunnelCost({ rounds, bytes, only }: TunnelCostOptions): Promise<void> {
  await inArena(only, async arena => {
    // How a client asks for its tunnel does not matter to what it carries then.
    const ways = arena.ways.filter(({ name }) => !name.endsWith('CONNECT'));
    const turns = new Map(jobs.map(job => [job, new Map(ways.map(way => [way, [] as Turn[]]))]));
    for (let round = 0; round <= rounds; round++) {
      for (const [job, ofJob] of turns) {
        for (const [way, list] of ofJob) {
          const turn = await takeTurn(arena, way, job, round === 0 ? bytes / 8 : bytes);
          if (round > 0) list.push(turn);
        }
      }
      process.stderr.write(round === 0 ? 'warmed up\n' : `round ${round} of ${rounds}\n`);
    }
    report(turns, { rounds, bytes });
  });
}

async function takeTurn(arena: Arena, way: Way, { streams, direction }: Job, bytes: number): Promise<Turn> {
  const before = cpuOf(way);
  const { failed, failure, seconds } = await runLoad(arena, way, [
    'bulk',
    String(streams),
    String(bytes),
    direction,
  ]);
  if (failed > 0) throw new Error(`${way.name}: ${failed} of ${streams} transfers failed (${failure})`);
  return {
    cpuSecondsPerGb: (cpuOf(way) - before) / (bytes / gigabyte),
    mbitPerSecond: (bytes * 8) / 1e6 / seconds,
  };
}

function report(
  turns: ReadonlyMap<Job, ReadonlyMap<Way, readonly Turn[]>>,
  options: TunnelCostOptions,
): void {
  process.stdout.write(
    `Bulk over links without limits, ${options.bytes / 1e6} MB a turn, medians of ${options.rounds} rounds that take turns\n`,
  );
  const results = [...turns].map(([job, ofJob]) => {
    const rows = new Map([...ofJob].map(([{ name }, list]) => [name, summary(list)]));
    const title = `${job.streams === 1 ? 'one stream' : `${job.streams} streams`} ${job.direction}`;
    const cells = [...ofJob.keys()].map(({ name, peer = names.direct, processes }) => {
      const row = rows.get(name);
      const beside = rows.get(peer);
      if (row === undefined) return [name];
      const ratio = (of: (turn: Turn) => number) =>
        beside === undefined || peer === names.direct ? '' : `${(of(row) / of(beside)).toFixed(2)} x`;
      return [
        name,
        processes.length === 0 ? '' : row.cpuSecondsPerGb.toFixed(2),
        ratio(turn => turn.cpuSecondsPerGb),
        row.mbitPerSecond.toFixed(0),
        ratio(turn => turn.mbitPerSecond),
      ];
    });
    process.stdout.write(`\n${formatTable([title, 'CPU-s/GB', 'to peer', 'Mbit/s', 'to peer'], cells)}`);
    return { ...job, ways: Object.fromEntries(rows) };
  });
  saveResult('tunnel-cost', { ...options, results });
}

function summary(turns: readonly Turn[]): Turn {
  return {
    cpuSecondsPerGb: median(turns.map(turn => turn.cpuSecondsPerGb)),
    mbitPerSecond: median(turns.map(turn => turn.mbitPerSecond)),
  };
}
