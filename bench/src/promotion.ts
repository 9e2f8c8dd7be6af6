import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab } from '@manypath/lab';
import { startRelay, startUp } from './manypath-in-lab.ts';
import { saveResult } from './results.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';

/** What {@link promotion} measures. */
export interface PromotionOptions {
  readonly rounds: number;
  /** Rates of the two links in Mbit/s. */
  readonly rates: readonly (readonly [number, number])[];
  /** Added round trips of the two links in milliseconds. */
  readonly roundTrips: readonly (readonly [number, number])[];
  /** Bytes of a transfer. */
  readonly sizes: readonly number[];
}

/** One transfer of some kind. */
interface Job {
  readonly name: string;
  readonly bytes: number;
  /** Arguments of curl, for an origin by its address. */
  readonly curl: (origin: string) => readonly string[];
}

interface Row {
  readonly links: string;
  readonly job: string;
  readonly singleMs: number;
  readonly atOnceMs: number;
  readonly oursMs: number;
}

/** Time a transfer may take beyond that over the best path alone, as a factor and in milliseconds. */
const allowed = { factor: 1.1, beyondMs: 10 };
const pageObjects = 100;
const objectBytes = 20_000;

/**
 * When does a second path pay? Transfers of many sizes over many pairs of links, to an origin without MPTCP: over the best
 * path alone by TCP, through a gateway whose connections join every path at once, and through one that measures first.
 */
export async function promotion(options: PromotionOptions): Promise<void> {
  const rows: Row[] = [];
  for (const rates of options.rates) {
    for (const roundTrips of options.roundTrips) {
      rows.push(...(await measureLinks(rates, roundTrips, options)));
    }
  }
  report(rows, options);
}

async function measureLinks(
  rates: readonly [number, number],
  roundTrips: readonly [number, number],
  { rounds, sizes }: PromotionOptions,
): Promise<Row[]> {
  const links = `${rates.join('/')} Mbit/s ${roundTrips.join('/')} ms`;
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit: rates[0], delayMs: roundTrips[0] / 2 },
      { name: 'b', rateMbit: rates[1], delayMs: roundTrips[1] / 2 },
    ],
  });
  const state = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  try {
    await lab.startOrigin('origin');
    const { pairing } = await startRelay(lab, join(state, 'relay'));
    await startUp(lab, { state: join(state, 'measured'), port: 8118, pairing });
    await startUp(lab, { state: join(state, 'at-once'), port: 8119, pairing, more: ['--join', 'at-once'] });
    await sleep(settleMs);
    const rows: Row[] = [];
    for (const job of jobs(sizes)) {
      const singles = candidates(lab, job, rates, roundTrips);
      const [ours, atOnce, ...single]: number[][] = [[], [], ...singles.map(() => [])];
      for (let round = 0; round < rounds; round++) {
        const through = (port: number) => ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel'];
        ours?.push(await time(lab, job, through(8118)));
        atOnce?.push(await time(lab, job, through(8119)));
        for (const [index, device] of singles.entries()) {
          single[index]?.push(await time(lab, job, ['--interface', device]));
        }
      }
      const row = {
        links,
        job: job.name,
        singleMs: Math.min(...single.map(median)),
        atOnceMs: median(atOnce ?? []),
        oursMs: median(ours ?? []),
      };
      rows.push(row);
      process.stderr.write(`${links}  ${cells(row).slice(1).join('  ')}\n`);
    }
    return rows;
  } finally {
    await lab.destroy();
    rmSync(state, { recursive: true, force: true });
  }
}

/** How long the gateways have to connect and measure before the first transfer, in milliseconds. */
const settleMs = 4000;

function jobs(sizes: readonly number[]): Job[] {
  const transfers = sizes.flatMap(bytes => [
    { name: `${size(bytes)} down`, bytes, curl: (origin: string) => [`http://${origin}/bytes/${bytes}`] },
    {
      name: `${size(bytes)} up`,
      bytes,
      curl: (origin: string) => ['--data-binary', '@-', '-H', 'Expect:', `http://${origin}/upload`],
    },
  ]);
  const page = {
    name: `page of ${pageObjects}`,
    bytes: pageObjects * objectBytes,
    curl: (origin: string) => [
      '--parallel',
      '--parallel-max',
      '6',
      `http://${origin}/object/[1-${pageObjects}]?bytes=${objectBytes}`,
    ],
  };
  return [...transfers, page];
}

/** Paths that may be the best one for a job: for a long transfer only the faster one, to save time. */
function candidates(
  lab: Lab,
  job: Job,
  rates: readonly [number, number],
  roundTrips: readonly [number, number],
): string[] {
  const [a, b] = lab.links.map(({ device }) => device);
  if (a === undefined || b === undefined) throw new Error('the lab has no two links');
  if (job.bytes < 4_000_000) return [a, b];
  if (rates[0] !== rates[1]) return [rates[0] > rates[1] ? a : b];
  return [roundTrips[0] <= roundTrips[1] ? a : b];
}

/** @returns How long curl took, without its own start, in milliseconds. */
async function time(lab: Lab, job: Job, flags: readonly string[]): Promise<number> {
  const isUpload = job.name.endsWith(' up');
  const command = ['curl', '--silent', '--show-error', '--fail', ...flags, ...job.curl(lab.addresses.origin)];
  // Of a page, the time until the last object is there.
  const timed = ['--output', '/dev/null', '--write-out', '%{time_total}\n'];
  const startedAt = performance.now();
  const { stdout } = await lab.exec('client', [...command, ...timed], {
    timeoutMs: 300_000,
    ...(isUpload ? { input: Buffer.alloc(job.bytes) } : {}),
  });
  const wholeMs = performance.now() - startedAt;
  await sleep(pauseMs);
  return job.name.startsWith('page') ? wholeMs : Number(stdout) * 1000;
}

/** Between two transfers, so that each begins on idle connections, in milliseconds. */
const pauseMs = 400;

function cells({ links, job, singleMs, atOnceMs, oursMs }: Row): string[] {
  const isAllowed = oursMs <= singleMs * allowed.factor + allowed.beyondMs;
  return [
    links,
    job,
    `${Math.round(singleMs)} ms`,
    `${(atOnceMs / singleMs).toFixed(2)} x`,
    `${(oursMs / singleMs).toFixed(2)} x`,
    isAllowed ? '' : 'slower',
  ];
}

function report(rows: readonly Row[], options: PromotionOptions): void {
  process.stdout.write(
    `Time of a transfer to that over the best path alone (TCP), medians of ${options.rounds} rounds that take turns\n\n` +
      formatTable(['links', 'transfer', 'best path', 'joined at once', 'manypath', ''], rows.map(cells)),
  );
  saveResult('promotion', { ...options, rows });
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${bytes / 1000} KB` : `${bytes / 1e6} MB`;
}
