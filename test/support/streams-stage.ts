import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { openBrowse } from './browse.ts';
import { startManypath } from './manypath.ts';
import { pairingOfLabRelay } from './relay.ts';
import { removeFolder } from './remove-folder.ts';

/** What `serve-echo` does on which port of the origin. */
export const services = { upper: 7001, echo: 7002, sink: 7003, source: 7004 } as const;
/** The site whose pages are tested; on every address of the origin. */
export const sitePort = 7080;
/** The same site as another origin. */
export const otherSitePort = 7081;

/** What a test of streams needs. */
export interface StreamsStage {
  readonly lab: Lab;
  readonly context: BrowserContext;
  /** A page of the site, in which `manypath` is the module for pages. */
  readonly page: Page;
  /** Address of the origin. */
  readonly host: string;
  /** Origin of the page. */
  readonly origin: string;
  /** Opens a page in which `manypath` is the module. */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

export interface StageOptions {
  /** Whether there is a relay. Default true. */
  readonly relay?: boolean;
  /** The configuration, for a page of an origin and the address of its services. */
  readonly config?: (origin: string, host: string) => object;
  readonly rateMbit?: number;
}

const pages: Readonly<Record<string, number>> = { echo: sitePort, upper: otherSitePort };

/** Nobody listens there. */
export const closedPort = 7099;

/** Lets pages of the site open streams to all services. */
export function allowAll(origin: string, host: string): object {
  return {
    allow: [...Object.values(services), closedPort].map(port => ({ origin, host, port, local: true })),
  };
}

/** A laptop with two links and a browser, a relay, and an origin with services and a site. */
export async function openStreamsStage({
  relay = true,
  config = allowAll,
  rateMbit = 200,
}: StageOptions = {}): Promise<StreamsStage> {
  const folder = mkdtempSync(join(tmpdir(), 'manypath-streams-'));
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit },
      { name: 'b', rateMbit },
    ],
  });
  const host = lab.addresses.origin;
  const origin = `http://${host}:${sitePort}`;
  for (const [service, port] of Object.entries(services)) {
    const page = pages[service];
    const site = page === undefined ? ['--no-page'] : ['--page', `0.0.0.0:${page}`];
    const listen = ['--listen', `0.0.0.0:${port}`];
    await startManypath(['serve-echo', '--json', '--service', service, ...listen, ...site], command =>
      lab.spawn('origin', command),
    );
  }
  const relayOptions = relay ? ['--relay', await pairingOfLabRelay(lab, folder)] : [];
  mkdirSync(join(folder, 'config', 'manypath'), { recursive: true });
  writeFileSync(
    join(folder, 'config', 'manypath', 'config.json'),
    JSON.stringify({ streams: config(origin, host) }),
  );
  const context = await openBrowse(lab, folder, relayOptions);
  const open = async (url: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(url);
    await loadModule(page);
    return page;
  };
  return {
    lab,
    context,
    page: await open(`${origin}/`),
    host,
    origin,
    open,
    async close() {
      await context.close();
      await lab.destroy();
      removeFolder(folder);
    },
  };
}

/** Puts the module for pages where tests find it. */
export async function loadModule(page: Page): Promise<void> {
  const content = "import * as manypath from '/manypath-page.js'; window.manypath = manypath;";
  await page.addScriptTag({ type: 'module', content });
  await page.waitForFunction(() => 'manypath' in window);
}

/** Ends the extension's worker, as browsers do when they please. */
export async function killWorker(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('ServiceWorker.enable');
  await session.send('ServiceWorker.stopAllWorkers');
  await session.detach();
}
