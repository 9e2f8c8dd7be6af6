import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { saveResult } from '../results.ts';
import { memoryBelow } from './memory.ts';
import { measureInPage, type Task, type Way } from './page-measurements.ts';
import { openNativePeer, openStreams, renew, type Served, serve } from './stage.ts';
import { measureUndriven, type UndrivenFigure } from './undriven.ts';

/** What {@link streams} does. */
export interface StreamsOptions {
  readonly rounds: number;
  /** Bytes of one transfer, over all its streams. */
  readonly bytes: number;
  /** How long to wait until memory that is not needed any more has been given back, in milliseconds. */
  readonly settleMs: number;
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
export async function streams({ rounds, bytes, settleMs }: StreamsOptions): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-bench-streams-'));
  const cleanUp: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const served = async (service: 'echo' | 'source') => {
    const started = await serve(service);
    cleanUp.push(() => started.child.kill());
    return started;
  };
  try {
    const services = { echo: await served('echo'), source: await served('source') };
    const ours = await openStreams(folder, services.echo, Object.values(services));
    cleanUp.push(() => ours.context.close());
    const peer = await openNativePeer(folder);
    cleanUp.push(() => peer.context.close());
    const pages: Record<Way, Page> = { stream: ours.page, websocket: ours.page, native: peer.page };
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
    // First: what transfers have left behind goes away whenever it likes.
    const memory = await memoryOfUnread(ours.page, services.source, settleMs);
    const all: Way[] = ['stream', 'websocket', 'native'];
    const both: Way[] = ['stream', 'websocket'];
    await add('round trip of one byte', 'ms', all, { measure: 'latency', streams: 1, amount: 300 });
    await add('down, one stream', 'MB/s', all, { measure: 'down', streams: 1, amount: bytes });
    await add('there and back, one stream', 'MB/s', all, { measure: 'up', streams: 1, amount: bytes / 4 });
    const each = Math.ceil(bytes / 100 / 65_536) * 65_536;
    await add('down, 100 streams', 'MB/s', both, { measure: 'down', streams: 100, amount: each });
    await add('there and back, 100 streams', 'MB/s', both, { measure: 'up', streams: 100, amount: each / 2 });
    const alone = await measureUndriven(services, rounds, bytes);
    report(rows, memory);
    reportAlone(alone);
    saveResult('streams', { rounds, bytes, rows, memory, alone });
  } finally {
    for (const step of cleanUp.reverse()) await step();
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

/** Streams that nobody reads, and the bytes that each is sent. */
const unread = { streams: 200, bytes: 1_048_576 };

/** What streams take whose page does not read, in the browser and the gateway, all in all, beside WebSockets. */
async function memoryOfUnread(
  page: Page,
  { port, sitePort }: Served,
  settleMs: number,
): Promise<Record<string, number>> {
  const taken: Record<string, number> = {};
  for (const way of ['stream', 'websocket'] as const) {
    await renew(page);
    await delay(settleMs);
    const before = memoryBelow(process.pid);
    await page.evaluate(openUnread, { way, port, sitePort, ...unread });
    await delay(settleMs);
    taken[way] = memoryBelow(process.pid) - before;
  }
  await renew(page);
  return taken;
}

async function openUnread(task: {
  way: 'stream' | 'websocket';
  port: number;
  sitePort: number;
  streams: number;
  bytes: number;
}): Promise<void> {
  interface Opened {
    readonly writable: WritableStream<Uint8Array>;
  }
  const { manypath } = window as unknown as {
    manypath: { TCPSocket: new (host: string, port: number) => { opened: Promise<Opened> } };
  };
  const request = new TextEncoder().encode(`${task.bytes}\n`);
  const openStream = async () => {
    const ends = await new manypath.TCPSocket('127.0.0.1', task.port).opened;
    await ends.writable.getWriter().write(request);
    return ends;
  };
  const openWebSocket = async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${task.sitePort}/ws`);
    socket.binaryType = 'arraybuffer';
    // A WebSocket cannot be told to wait: what the page has no use for yet, it keeps.
    const kept: unknown[] = [];
    socket.onmessage = ({ data }) => kept.push(data);
    await new Promise(resolve => {
      socket.onopen = resolve;
    });
    socket.send(request);
    return { socket, kept };
  };
  const open = task.way === 'stream' ? openStream : openWebSocket;
  const all = await Promise.all(Array.from({ length: task.streams }, () => open()));
  Object.assign(window, { [task.way]: all });
}

function print(cells: readonly string[]): void {
  const [title = '', ...values] = cells;
  process.stdout.write(`${title.padEnd(30)}${values.map(value => value.padStart(14)).join('')}\n`);
}

function reportAlone(figures: readonly UndrivenFigure[]): void {
  print(['in a browser nobody drives', '', '', '', '']);
  for (const { title, unit, stream, websocket } of figures) {
    const cell = (value: number) => `${value.toFixed(unit === 'ms' ? 2 : 0)} ${unit}`;
    const against =
      unit === 'ms' ? `+${(stream - websocket).toFixed(2)} ms` : (stream / websocket).toFixed(2);
    print([title, cell(stream), cell(websocket), '–', against]);
  }
}

function report(rows: readonly Row[], memory: Record<string, number>): void {
  print(['', 'Manypath', 'WebSocket', 'native only', 'to WebSocket']);
  for (const { title, unit, ways } of rows) {
    const { stream = Number.NaN, websocket = Number.NaN, native } = ways;
    const cell = (value: number | undefined) =>
      value === undefined ? '–' : `${value.toFixed(unit === 'ms' ? 2 : 0)} ${unit}`;
    const against =
      unit === 'ms' ? `+${(stream - websocket).toFixed(2)} ms` : (stream / websocket).toFixed(2);
    print([title, cell(stream), cell(websocket), cell(native), against]);
  }
  const { stream = Number.NaN, websocket = Number.NaN } = memory;
  const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const title = `memory of ${unread.streams}, 1 MiB unread`;
  print([title, megabytes(stream), megabytes(websocket), '–', (stream / websocket).toFixed(2)]);
}
