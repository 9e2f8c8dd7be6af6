import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { measureInPage, type Task } from './page-measurements.ts';
import { main, type Served } from './stage.ts';

/** What one measurement came to by each way: the median of its rounds. */
export interface UndrivenFigure {
  readonly title: string;
  readonly unit: 'ms' | 'MB/s';
  readonly stream: number;
  readonly websocket: number;
}

type Plan = Omit<Task, 'way' | 'port' | 'sitePort'> & { readonly title: string };

/** How long all of it may take, in milliseconds. */
const mostMs = 300_000;

/**
 * The same measurements in a browser that `manypath browse` opens and nobody watches: a tool that drives a browser has it copy
 * every message of a WebSocket.
 */
export async function measureUndriven(
  services: { readonly echo: Served; readonly source: Served },
  rounds: number,
  bytes: number,
): Promise<UndrivenFigure[]> {
  const plans: Plan[] = [
    { title: 'round trip of one byte', measure: 'latency', streams: 1, amount: 500 },
    { title: 'down, one stream', measure: 'down', streams: 1, amount: 2 * bytes },
    { title: 'there and back, one stream', measure: 'up', streams: 1, amount: bytes },
  ];
  const ways = ['stream', 'websocket'] as const;
  const tasks = Array.from({ length: rounds }, () => plans)
    .flat()
    .flatMap(({ title: _, ...plan }) => {
      const { port, sitePort } = plan.measure === 'down' ? services.source : services.echo;
      return ways.map(way => ({ ...plan, way, port, sitePort }));
    });
  const measured = await runAll(tasks, services);
  return plans.map(({ title, measure, streams, amount }) => {
    const median = (way: Task['way']) => {
      const times = measured.filter(([task]) => task.way === way && task.measure === measure);
      return times.map(([, ms]) => ms).sort((one, other) => one - other)[times.length >> 1] ?? Number.NaN;
    };
    const figure = (ms: number) => (measure === 'latency' ? ms : (streams * amount) / 1e3 / ms);
    const unit = measure === 'latency' ? 'ms' : 'MB/s';
    return { title, unit, stream: figure(median('stream')), websocket: figure(median('websocket')) };
  });
}

/** Opens the browser with a page that does all tasks in turn and tells what each took. */
async function runAll(
  tasks: readonly Task[],
  { echo, source }: { readonly echo: Served; readonly source: Served },
): Promise<[Task, number][]> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-bench-undriven-'));
  const measured: [Task, number][] = [];
  const done = new AbortController();
  const site = await serveTasks(tasks, echo.sitePort, answer => {
    if (answer === 'end') done.abort();
    else measured.push(answer);
  });
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const allow = [echo, source].map(({ port }) => ({ origin, host: '127.0.0.1', port, local: true }));
  mkdirSync(join(folder, 'manypath'));
  writeFileSync(join(folder, 'manypath/config.json'), JSON.stringify({ streams: { allow } }));
  const words = ['browse', origin, '--headless', '--no-isolate', '--state', join(folder, 'state')];
  const asRoot = process.getuid?.() === 0 ? ['--', '--no-sandbox'] : [];
  const browser = spawn(process.execPath, [main, ...words, ...asRoot], {
    env: { ...process.env, XDG_CONFIG_HOME: folder },
    stdio: 'ignore',
  });
  try {
    await delay(mostMs, undefined, { signal: done.signal }).catch(() => {});
    if (!done.signal.aborted) throw new Error('the browser that nobody drives did not finish in time');
    return measured;
  } finally {
    browser.kill();
    await once(browser, 'exit');
    site.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function serveTasks(
  tasks: readonly Task[],
  sitePort: number,
  onAnswer: (answer: [Task, number] | 'end') => void,
): Promise<Server> {
  const script = `import * as manypath from '/manypath-page.js';
    window.manypath = manypath;
    const measure = ${measureInPage};
    const tell = answer => fetch('/', { method: 'POST', body: JSON.stringify(answer) });
    for (const task of ${JSON.stringify(tasks)}) await tell([task, await measure(task)]);
    await tell('end');`;
  const module = await (await fetch(`http://127.0.0.1:${sitePort}/manypath-page.js`)).text();
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      onAnswer(JSON.parse(await bodyOf(request)));
      response.end();
    } else if (request.url === '/manypath-page.js') {
      response.setHeader('Content-Type', 'text/javascript').end(module);
    } else {
      response
        .setHeader('Content-Type', 'text/html')
        .end(`<!doctype html><script type="module">${script}</script>`);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
