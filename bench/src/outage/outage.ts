import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorMessage } from '@manypath/core';
import { Lab } from '@manypath/lab';
import { startRelay, startServeEcho, startUp } from '../manypath-in-lab.ts';
import { saveResult } from '../results.ts';
import { formatTable } from '../table.ts';
import { type Fault, faults } from './faults.ts';
import { ports, transfers } from './transfers.ts';

/** What {@link outage} does. */
export interface OutageOptions {
  /** How long the network is away, in seconds. */
  readonly seconds: number;
  /** How long the gateway is stopped, in seconds. */
  readonly stoppedSeconds: number;
  /** Time before a fault, and three times after it, in seconds. */
  readonly calmSeconds: number;
  /** How much longer than its time a transfer may take before it counts as stuck, in seconds. */
  readonly patienceSeconds: number;
  /** Only faults in whose names this occurs. */
  readonly only?: string;
}

interface Row {
  readonly fault: string;
  readonly transfer: string;
  /** What broke it; `undefined`: all came, as it was sent. */
  readonly lost: string | undefined;
  /** Longest time without progress, without the fault itself, in milliseconds. */
  readonly beyondMs: number | undefined;
}

/**
 * What runs while the network goes away for minutes, changes altogether, or resets every connection: does it go on, at the exact
 * byte, and how soon? Each fault meets a download, an upload and a WebSocket through gateway and relay.
 */
export async function outage(options: OutageOptions): Promise<void> {
  const { seconds, stoppedSeconds, only = '' } = options;
  const rows: Row[] = [];
  for (const fault of faults.filter(({ name }) => name.includes(only))) {
    const lasts = fault.name === 'gateway stopped' ? stoppedSeconds : seconds;
    rows.push(...(await meet(fault, lasts * 1000, options)));
  }
  report(rows, options);
}

/** A network and programs of its own for each fault: what one has done must not be held against the next. */
async function meet(
  fault: Fault,
  milliseconds: number,
  { calmSeconds, patienceSeconds }: OutageOptions,
): Promise<Row[]> {
  const calmMs = calmSeconds * 1000;
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit: 20, delayMs: 5 },
      { name: 'b', rateMbit: 20, delayMs: 5 },
    ],
  });
  const state = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  try {
    await lab.startOrigin('origin');
    await startServeEcho(lab, ports.site);
    const { pairing } = await startRelay(lab, join(state, 'relay'));
    const up = await startUp(lab, { state: join(state, 'up'), port: ports.gateway, pairing });
    await sleep(calmMs);
    const duration = fault.momentary ? 0 : milliseconds;
    const running = transfers.map(async ({ name, run }): Promise<Row> => {
      const about = { fault: fault.name, transfer: name };
      try {
        const { stallMs } = await inTime(
          run(lab, duration + 4 * calmMs),
          duration + 4 * calmMs + patienceSeconds * 1000,
        );
        const beyondMs = stallMs === undefined ? undefined : Math.max(0, stallMs - duration);
        return { ...about, lost: undefined, beyondMs };
      } catch (error) {
        return { ...about, lost: errorMessage(error), beyondMs: undefined };
      }
    });
    await sleep(calmMs);
    await fault.strike(lab, milliseconds, up.pid ?? Number.NaN);
    process.stderr.write(`${fault.name}: over\n`);
    return await Promise.all(running);
  } finally {
    await lab.destroy();
    rmSync(state, { recursive: true, force: true });
  }
}

async function inTime<T>(result: Promise<T>, milliseconds: number): Promise<T> {
  const timer = new AbortController();
  const late = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error('it was stuck');
  });
  late.catch(() => {});
  try {
    return await Promise.race([result, late]);
  } finally {
    timer.abort();
  }
}

function report(rows: readonly Row[], options: OutageOptions): void {
  process.stdout.write(
    `Through gateway and relay, away for ${options.seconds} s, the gateway stopped for ${options.stoppedSeconds} s\n\n`,
  );
  process.stdout.write(
    formatTable(
      ['fault', 'transfer', 'whole', 'stall beyond it', ''],
      rows.map(({ fault, transfer, lost, beyondMs }) => [
        fault,
        transfer,
        lost === undefined ? 'yes' : 'LOST',
        beyondMs === undefined ? '' : `${(beyondMs / 1000).toFixed(2)} s`,
        lost ?? '',
      ]),
    ),
  );
  const lost = rows.filter(row => row.lost !== undefined).length;
  process.stdout.write(`\n${lost} of ${rows.length} lost\n`);
  saveResult('outage', { ...options, rows });
}
