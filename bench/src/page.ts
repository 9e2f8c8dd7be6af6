import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { type Arena, inArena } from './arena.ts';
import { saveResult } from './results.ts';
import { median, quartiles } from './statistics.ts';
import { formatTable } from './table.ts';
import { requireTool } from './tools.ts';
import { names, type Way } from './ways.ts';

/** What {@link page} measures. */
export interface PageOptions {
  /** Times the page is loaded by every way; once more before that is not counted. */
  readonly rounds: number;
  /** Images of the page. */
  readonly objects: number;
  /** Hosts that they come from. */
  readonly hosts: number;
  /** Load only by ways in whose names this occurs, and those that they are compared with. */
  readonly only?: string;
}

/** What comes through the relay, and what comes without any proxy; what goes straight has the names of this host only. */
const measured = new Set<string>([names.direct, names.shadowsocks]);
const objectBytes = 2_000;
const loadMs = 60_000;

/**
 * Real Chromium loads a page of many small images from many hosts, each time with new connections: directly, and through the relay.
 * The hosts are names that only the relay knows.
 */
export async function page({ rounds, objects, hosts, only }: PageOptions): Promise<void> {
  await inArena(only, async arena => {
    await arena.lab.startOrigin('origin');
    nameHosts(arena, hosts);
    const ways = arena.ways.filter(({ name }) => measured.has(name) || name.startsWith(names.relayed));
    const folder = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
    const browser = await launch(arena, folder);
    try {
      const times = new Map(ways.map(way => [way, [] as number[]]));
      for (let round = 0; round <= rounds; round++) {
        for (const [way, list] of times) {
          const milliseconds = await load(browser, way, objects, hosts);
          if (round > 0) list.push(milliseconds);
        }
        process.stderr.write(round === 0 ? 'warmed up\n' : `round ${round} of ${rounds}\n`);
      }
      report(times, { rounds, objects, hosts });
    } finally {
      await browser.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

function hostName(number: number): string {
  return `h${number}.page.test`;
}

/** Gives the relay the names. It fails where the lab has no hosts file of its own: the machine's is not to be touched. */
function nameHosts({ lab }: Arena, hosts: number): void {
  const file = join('/etc/netns', lab.namespaces.relay, 'hosts');
  const { origin, origin6 } = lab.addresses;
  // Of both families: who finds one alone may ask servers of the DNS for the other, and here are none.
  const lines = Array.from({ length: hosts }, (_, number) => hostName(number)).flatMap(name => [
    `${origin} ${name}\n`,
    `${origin6} ${name}\n`,
  ]);
  writeFileSync(file, readFileSync(file, 'utf8') + lines.join(''));
}

/** A browser on the client of the lab. */
async function launch({ lab }: Arena, folder: string): Promise<Browser> {
  const executablePath = join(folder, 'chromium');
  const command = [requireTool('ip'), 'netns', 'exec', lab.namespaces.client, requireTool('chromium')];
  writeFileSync(executablePath, `#!/bin/sh\nexec ${command.join(' ')} "$@"\n`);
  chmodSync(executablePath, 0o755);
  return await chromium.launch({
    executablePath,
    args: ['--no-sandbox', `--host-resolver-rules=MAP *.page.test ${lab.addresses.origin}`],
  });
}

/** Loads the page with nothing kept from before. @returns How long it took, in milliseconds. */
async function load(
  browser: Browser,
  { dialect, port }: Way,
  objects: number,
  hosts: number,
): Promise<number> {
  const scheme = dialect === 'socks5' ? 'socks5' : 'http';
  const context = await browser.newContext(
    dialect === 'direct' ? {} : { proxy: { server: `${scheme}://127.0.0.1:${port}` } },
  );
  try {
    const tab = await context.newPage();
    const images = Array.from({ length: objects }, (_, number) => {
      return `<img src="http://${hostName(number % hosts)}/object/${number}?bytes=${objectBytes}" alt="">`;
    });
    const start = performance.now();
    await tab.setContent(`<!doctype html><title>page</title>${images.join('')}`, {
      waitUntil: 'load',
      timeout: loadMs,
    });
    const milliseconds = performance.now() - start;
    const broken = await tab.evaluate(
      () => [...document.images].filter(image => image.naturalWidth === 0).length,
    );
    if (broken > 0) throw new Error(`${broken} of ${objects} images did not come`);
    return milliseconds;
  } finally {
    await context.close();
  }
}

function report(times: ReadonlyMap<Way, readonly number[]>, options: Omit<PageOptions, 'only'>): void {
  const medians = new Map([...times].map(([{ name }, list]) => [name, median(list)]));
  const ratio = (value: number, to: string) => {
    const of = medians.get(to);
    return of === undefined || of === value ? '' : `${(value / of).toFixed(2)} x`;
  };
  process.stdout.write(
    `Chromium loads ${options.objects} images from ${options.hosts} hosts, medians of ${options.rounds}\n\n`,
  );
  const rows = [...times].map(([{ name }, list]) => {
    const value = medians.get(name) ?? Number.NaN;
    return [
      name,
      `${value.toFixed(0)} ms`,
      quartiles(list)
        .map(one => one.toFixed(0))
        .join('-'),
      ratio(value, names.direct),
      ratio(value, names.shadowsocks),
    ];
  });
  process.stdout.write(formatTable(['way', 'load', 'middle half', 'to direct', 'to shadowsocks'], rows));
  saveResult('page', {
    ...options,
    results: Object.fromEntries([...times].map(([{ name }, list]) => [name, list])),
  });
}
