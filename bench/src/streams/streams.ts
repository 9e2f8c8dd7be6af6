import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { saveResult } from '../results.ts';
import { memoryBelow } from './memory.ts';
import { measureInPage, type Task, type Way } from './page-measurements.ts';
import { openNativePeer, openStreams, type Served, serve } from './stage.ts';

/** What {@link streams} does. */
export interface StreamsOptions {
  readonly rounds: number;
  /** Bytes of one transfer, over all its streams. */
  readonly bytes: number;
}

interface Row {
  readonly title: string;
  readonly unit: string;
  readonly ways: Partial<Record<Way, number>>;
}

/**
 * Streams of a web page beside a plain WebSocket to the same server, and beside streams by native messaging alone: latency,
 * throughput of one and of 100 streams, memory. All on loopback, in real browsers, in turn.
 */
export async function streams({ rounds, bytes }: StreamsOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-bench-streams-'));
  const services = { echo: await serve('echo'), source: await serve('source') };
  const ours = await openStreams(folder, services.echo, Object.values(services));
  const peer = await openNativePeer(folder);
  const pages: Record<Way, Page> = { stream: ours.page, websocket: ours.page, native: peer.page };
  try {
    const rows: Row[] = [];
    const add = async (
      title: string,
      unit: string,
      ways: Way[],
      task: Omit<Task, 'way' | 'port' | 'sitePort'>,
    ) => {
      const values = await inTurn(rounds, ways, way =>
        run(pages[way], { ...task, way, ...portsFor(task, services) }),
      );
      const total = task.streams * task.amount;
      const figure = (ms: number) => (task.measure === 'latency' ? ms : total / 1e3 / ms);
      rows.push({
        title,
        unit,
        ways: Object.fromEntries(Object.entries(values).map(([way, ms]) => [way, figure(ms)])),
      });
      process.stderr.write(`${title}: done\n`);
    };
    const all: Way[] = ['stream', 'websocket', 'native'];
    const both: Way[] = ['stream', 'websocket'];
    await add('round trip of one byte', 'ms', all, { measure: 'latency', streams: 1, amount: 300 });
    await add('down, one stream', 'MB/s', all, { measure: 'down', streams: 1, amount: bytes });
    await add('there and back, one stream', 'MB/s', all, { measure: 'up', streams: 1, amount: bytes / 4 });
    const each = Math.ceil(bytes / 100 / 65_536) * 65_536;
    await add('down, 100 streams', 'MB/s', both, { measure: 'down', streams: 100, amount: each });
    await add('there and back, 100 streams', 'MB/s', both, { measure: 'up', streams: 100, amount: each / 2 });
    const memory = await memoryOfMany(ours.page, services.echo);
    report(rows, memory);
    saveResult('streams', { rounds, bytes, rows, memory });
  } finally {
    await Promise.all([ours.context.close(), peer.context.close()]);
    for (const { child } of Object.values(services)) child.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function portsFor(
  { measure }: Pick<Task, 'measure'>,
  services: { readonly echo: Served; readonly source: Served },
): { port: number; sitePort: number } {
  const { port, sitePort } = measure === 'down' ? services.source : services.echo;
  return { port, sitePort };
}

function run(page: Page, task: Task): Promise<number> {
  return page.evaluate(measureInPage, task);
}

/** Each way in each round; the median of each. */
async function inTurn(
  rounds: number,
  ways: readonly Way[],
  measure: (way: Way) => Promise<number>,
): Promise<Record<string, number>> {
  const values = new Map<Way, number[]>(ways.map(way => [way, []]));
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) values.get(way)?.push(await measure(way));
  }
  const median = (list: readonly number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
  return Object.fromEntries([...values].map(([way, list]) => [way, median(list)]));
}

/** What 200 open streams take in the browser and the gateway, beside 200 WebSockets. */
async function memoryOfMany(page: Page, { port, sitePort }: Served): Promise<Record<string, number>> {
  const before = memoryBelow(process.pid);
  const open = (way: 'stream' | 'websocket') =>
    page.evaluate(
      async ({ way, port, sitePort }) => {
        const { manypath } = window as unknown as {
          manypath: { TCPSocket: new (host: string, port: number) => { opened: Promise<object> } };
        };
        const many = await Promise.all(
          Array.from({ length: 200 }, async () => {
            if (way === 'stream') return new manypath.TCPSocket('127.0.0.1', port).opened;
            const socket = new WebSocket(`ws://127.0.0.1:${sitePort}/ws`);
            await new Promise(resolve => {
              socket.onopen = resolve;
            });
            return socket;
          }),
        );
        Object.assign(window, { [way]: many });
      },
      { way, port, sitePort },
    );
  await open('stream');
  const afterStreams = memoryBelow(process.pid);
  await open('websocket');
  const afterWebSockets = memoryBelow(process.pid);
  const each = (bytes: number) => Math.round(bytes / 200);
  return { stream: each(afterStreams - before), websocket: each(afterWebSockets - afterStreams) };
}

function report(rows: readonly Row[], memory: Record<string, number>): void {
  const print = (cells: readonly string[]) =>
    process.stdout.write(
      `${(cells[0] ?? '').padEnd(30)}${cells
        .slice(1)
        .map(cell => cell.padStart(14))
        .join('')}\n`,
    );
  print(['', 'Manypath', 'WebSocket', 'native only', 'to WebSocket']);
  for (const { title, unit, ways } of rows) {
    const { stream = Number.NaN, websocket = Number.NaN, native } = ways;
    const cell = (value: number | undefined) =>
      value === undefined ? '–' : `${value.toFixed(unit === 'ms' ? 2 : 0)} ${unit}`;
    const against =
      unit === 'ms' ? `+${(stream - websocket).toFixed(2)} ms` : (stream / websocket).toFixed(2);
    print([title, cell(stream), cell(websocket), cell(native), against]);
  }
  const kilobytes = (bytes = Number.NaN) => `${(bytes / 1e3).toFixed(0)} kB`;
  print(['memory of one of 200, all in all', kilobytes(memory.stream), kilobytes(memory.websocket), '–', '']);
}
