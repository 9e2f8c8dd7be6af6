import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuSeconds } from './cpu-time.ts';
import { enterOwnNetwork, ownAddress } from './own-network.ts';
import type { LoadJob, LoadReport, Place, SinkReport } from './relay-cost/messages.ts';
import { type Peer, peers, reference, whyMissing } from './relay-cost/peers.ts';
import { nextMessage, startHelper, startProgram, stopAll } from './relay-cost/processes.ts';
import { saveResult } from './results.ts';
import { median, quartiles } from './statistics.ts';
import { formatTable } from './table.ts';

/** What {@link relayCost} measures. */
export interface RelayCostOptions {
  /** Times every relay gets its turn; one more round before that is not counted. */
  readonly rounds: number;
  /** Bytes of one turn. */
  readonly bytes: number;
  /** How many connections share the bytes; every number is measured for itself. */
  readonly streams: readonly number[];
  /** Whether both legs are Multipath TCP; else both are TCP. */
  readonly mptcp: boolean;
  /** Measure only relays in whose name this occurs, and the one they are compared with. */
  readonly only?: string;
}

interface Turn {
  readonly cpuSecondsPerGb: number;
  readonly gbitPerSecond: number;
}

interface Contestant {
  readonly peer: Peer;
  readonly port: number;
  readonly process: ChildProcess;
  readonly turns: Map<number, Turn[]>;
}

const sinkAt: Place = { host: ownAddress, port: 20_000 };
const gigabyte = 1e9;
/** How long one turn may take, in milliseconds. */
const turnMs = 120_000;

/**
 * CPU time and throughput of relays on loopback, one stream and many. All of them run from the beginning and take turns, so
 * that whatever else the machine does meets all alike.
 */
export async function relayCost(options: RelayCostOptions): Promise<void> {
  enterOwnNetwork();
  // The relay has a processor of its own; what feeds it and what drains it share another.
  const [loadCpu, relayCpu] = cpus().length > 1 ? [0, 1] : [undefined, undefined];
  const sinkArguments = [sinkAt.host, String(sinkAt.port), String(options.mptcp)];
  const sink = await startHelper('./sink-main.js', sinkArguments, loadCpu);
  await nextMessage(sink);
  const load = await startHelper('./load-main.js', [], loadCpu);
  const folder = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  try {
    const contestants = await startContestants(options, folder, relayCpu);
    for (let round = 0; round <= options.rounds; round++) {
      for (const streams of options.streams) {
        for (const contestant of contestants) {
          const turn = await takeTurn(contestant, { load, sink, streams, options });
          if (round > 0) contestant.turns.get(streams)?.push(turn);
        }
      }
      progress(round, options.rounds);
    }
    report(contestants, options);
  } finally {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function startContestants(
  { streams, mptcp, only }: RelayCostOptions,
  folder: string,
  cpu: number | undefined,
): Promise<Contestant[]> {
  const contestants: Contestant[] = [];
  for (const [index, peer] of peers.entries()) {
    if (only !== undefined && peer.name !== reference && !peer.name.includes(only)) continue;
    const missing = whyMissing(peer);
    if (missing !== undefined) {
      process.stderr.write(`${peer.name} is left out: it ${missing}\n`);
      continue;
    }
    const port = sinkAt.port + 1 + index;
    const child = await startProgram(peer.command({ port, target: sinkAt, mptcp, folder }), port, cpu);
    contestants.push({ peer, port, process: child, turns: new Map(streams.map(count => [count, []])) });
  }
  return contestants;
}

interface Arena {
  load: ChildProcess;
  sink: ChildProcess;
  streams: number;
  options: RelayCostOptions;
}

async function takeTurn(
  { peer, port, process: relay }: Contestant,
  { load, sink, streams, options }: Arena,
): Promise<Turn> {
  const { pid } = relay;
  if (pid === undefined || relay.exitCode !== null) throw new Error(`${peer.name} has ended`);
  const bytes = Math.round(options.bytes * peer.share);
  const mptcp = options.mptcp && peer.multipathClients;
  const job: LoadJob = { port, target: sinkAt, dialect: peer.dialect, bytes, streams, mptcp };
  const cpuBefore = cpuSeconds(pid);
  const startedAt = performance.now();
  const sent = nextMessage<LoadReport>(load);
  load.send(job);
  const received = await receive(sink, streams);
  const seconds = (performance.now() - startedAt) / 1000;
  const { multipath, reason } = await sent;
  const arrived = received.reduce((sum, part) => sum + part.bytes, 0);
  if (arrived < bytes) throw new Error(`${peer.name} delivered ${arrived} of ${bytes} bytes`);
  const wrong =
    multipath === mptcp
      ? received.find(part => part.multipath !== options.mptcp)
      : { reason: `from the client: ${reason}` };
  if (wrong !== undefined)
    throw new Error(
      `the connections of ${peer.name} were not all ${options.mptcp ? 'Multipath TCP' : 'TCP'}: ${wrong.reason}`,
    );
  return {
    cpuSecondsPerGb: (cpuSeconds(pid) - cpuBefore) / (arrived / gigabyte),
    gbitPerSecond: (arrived * 8) / gigabyte / seconds,
  };
}

/** Waits until the sink has told of as many connections as were made. */
async function receive(sink: ChildProcess, streams: number): Promise<SinkReport[]> {
  const reports: SinkReport[] = [];
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('a relay is stuck')), turnMs);
    const onExit = () => reject(new Error('the sink ended'));
    const onMessage = (report: unknown) => {
      reports.push(report as SinkReport);
      if (reports.length < streams) return;
      clearTimeout(timer);
      sink.off('message', onMessage).off('exit', onExit);
      resolve();
    };
    sink.on('message', onMessage).once('exit', onExit);
  });
  return reports;
}

function progress(round: number, rounds: number): void {
  process.stderr.write(round === 0 ? 'warmed up\n' : `round ${round} of ${rounds}\n`);
}

function report(contestants: readonly Contestant[], options: RelayCostOptions): void {
  const { bytes, rounds, mptcp, streams } = options;
  const results = streams.map(count => {
    const rows = contestants.map(({ peer, turns }) => summary(peer.name, turns.get(count) ?? []));
    return { streams: count, rows };
  });
  process.stdout.write(
    `Relays between two ${mptcp ? 'Multipath TCP' : 'TCP'} connections on loopback, ` +
      `${bytes / 2 ** 20} MiB a turn, medians of ${rounds} rounds that take turns\n`,
  );
  for (const { streams: count, rows } of results) {
    const base = rows.find(row => row.name === reference);
    const ratio = (value: number, of: number | undefined) =>
      of === undefined ? '' : `${(value / of).toFixed(2)} x`;
    process.stdout.write(
      `\n${formatTable(
        [
          count === 1 ? 'one stream' : `${count} streams`,
          'CPU-s/GB',
          'to haproxy',
          'middle half',
          'Gbit/s',
          'to haproxy',
        ],
        rows.map(row => [
          row.name,
          row.cpuSecondsPerGb.toFixed(3),
          ratio(row.cpuSecondsPerGb, base?.cpuSecondsPerGb),
          row.cpuQuartiles.map(value => value.toFixed(3)).join('-'),
          row.gbitPerSecond.toFixed(1),
          ratio(row.gbitPerSecond, base?.gbitPerSecond),
        ]),
      )}`,
    );
  }
  saveResult('relay-cost', { ...options, reference, results });
}

function summary(name: string, turns: readonly Turn[]) {
  const cpu = turns.map(turn => turn.cpuSecondsPerGb);
  return {
    name,
    cpuSecondsPerGb: median(cpu),
    cpuQuartiles: quartiles(cpu),
    gbitPerSecond: median(turns.map(turn => turn.gbitPerSecond)),
    turns,
  };
}
