import { setTimeout as sleep } from 'node:timers/promises';
import { type Arena, inArena } from './arena.ts';
import { saveResult } from './results.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';
import { cpuOf, names, runLoad, type Way } from './ways.ts';

/** What {@link connections} measures. */
export interface ConnectionsOptions {
  /** Times every way gets its turn; one more round before that is not counted. */
  readonly rounds: number;
  /** How long a turn lasts, in seconds. */
  readonly seconds: number;
  /** Measure only ways in whose names this occurs, and those that they are compared with. */
  readonly only?: string;
}

interface Turn {
  readonly perSecond: number;
  readonly cpuMsEach: number;
  /** Of one connection at a time, in milliseconds. */
  readonly firstByteMs: number;
}

/** Clients that each open one connection after the other. */
const clients = 32;
/** Bytes of the page that every connection is for. */
const pageBytes = 300;
/** After a turn: what closing costs belongs to it. */
const settleMs = 200;

/**
 * New connections, each for one small page: how many a second, what each costs the programs on the way, and how much later its
 * first byte comes. Links without limits; every way gets its turn in every round.
 */
export async function connections({ rounds, seconds, only }: ConnectionsOptions): Promise<void> {
  await inArena(only, async arena => {
    const turns = new Map(arena.ways.map(way => [way, [] as Turn[]]));
    for (let round = 0; round <= rounds; round++) {
      for (const [way, list] of turns) {
        const turn = await takeTurn(arena, way, round === 0 ? Math.min(seconds, 1) : seconds);
        if (round > 0) list.push(turn);
      }
      process.stderr.write(round === 0 ? 'warmed up\n' : `round ${round} of ${rounds}\n`);
    }
    report(turns, { rounds, seconds });
  });
}

async function takeTurn(arena: Arena, way: Way, seconds: number): Promise<Turn> {
  const run = async (count: number, duration: number) => {
    const words = ['connections', String(count), String(duration), String(pageBytes)];
    const result = await runLoad(arena, way, words);
    if (result.failed > 0) {
      throw new Error(
        `${way.name}: ${result.failed} of ${result.count} connections failed (${result.failure})`,
      );
    }
    await sleep(settleMs);
    return result;
  };
  const before = cpuOf(way);
  const many = await run(clients, seconds);
  const cpuMs = (cpuOf(way) - before) * 1e3;
  const single = await run(1, seconds / 3);
  return {
    perSecond: many.count / many.seconds,
    cpuMsEach: cpuMs / many.count,
    firstByteMs: single.firstByteMs,
  };
}

interface Row extends Turn {
  readonly name: string;
  readonly turns: readonly Turn[];
}

function report(turns: ReadonlyMap<Way, readonly Turn[]>, options: ConnectionsOptions): void {
  const rows = new Map([...turns].map(([{ name }, list]) => [name, summary(name, list)]));
  const direct = rows.get(names.direct);
  process.stdout.write(
    `New connections, each for a page of ${pageBytes} bytes: ${clients} at once, and for the first byte one at a time; ` +
      `medians of ${options.rounds} rounds of ${options.seconds} s\n\n`,
  );
  const head = ['way', 'new/s', 'to peer', 'CPU ms', 'to peer', 'first byte', 'to direct', 'to peer'];
  const cells = [...turns.keys()].map(way => {
    const row = rows.get(way.name);
    if (row === undefined) return [way.name];
    const peer = way.peer === undefined ? undefined : rows.get(way.peer);
    const ratio = (of: (turn: Turn) => number) =>
      peer === undefined ? '' : `${(of(row) / of(peer)).toFixed(2)} x`;
    const later = (than: Turn | undefined) =>
      than === undefined || than === row ? '' : `${(row.firstByteMs - than.firstByteMs).toFixed(2)} ms`;
    return [
      way.name,
      row.perSecond.toFixed(0),
      ratio(turn => turn.perSecond),
      way.processes.length === 0 ? '' : row.cpuMsEach.toFixed(3),
      ratio(turn => turn.cpuMsEach),
      `${row.firstByteMs.toFixed(2)} ms`,
      later(direct),
      later(peer),
    ];
  });
  process.stdout.write(formatTable(head, cells));
  saveResult('connections', { ...options, clients, pageBytes, results: [...rows.values()] });
}

function summary(name: string, turns: readonly Turn[]): Row {
  return {
    name,
    perSecond: median(turns.map(turn => turn.perSecond)),
    cpuMsEach: median(turns.map(turn => turn.cpuMsEach)),
    firstByteMs: median(turns.map(turn => turn.firstByteMs)),
    turns,
  };
}
