import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findBrowser } from '../packages/cli/src/browser/find-browser.ts';
import { extensionFolder } from '../packages/cli/src/own-files.ts';
import { CommandFolder } from '../packages/cli/test/support/command.ts';
import { openBrowser } from '../packages/cli/test/support/extension-browser.ts';
import { whyNoBrowser } from './support/requirements.ts';

const reason = whyNoBrowser();

/** What a page can try with an address, and what comes of it. */
function addressProbes(page: Page, addresses: string[]): Promise<Record<string, unknown>> {
  return page.evaluate(async urls => {
    const seen: Record<string, unknown> = {};
    const settled = (promise: Promise<unknown>) => promise.then(() => 'yes', String);
    const element = (tag: string, url: string) =>
      new Promise(resolve => {
        const made = document.createElement(tag);
        made.onload = () => resolve('load');
        made.onerror = () => resolve('error');
        setTimeout(() => resolve('nothing'), 20_000);
        const key = tag === 'link' ? 'href' : tag === 'object' ? 'data' : 'src';
        Object.assign(made, { [key]: url, ...(tag === 'link' ? { rel: 'stylesheet' } : {}) });
        document.body.append(made);
      });
    const worker = (url: string) =>
      new Promise(resolve => {
        try {
          new Worker(url).onerror = () => resolve('error');
        } catch (error) {
          resolve((error as DOMException).name);
        }
      });
    // Not as it stands: what compiles tests would take it for its own.
    // biome-ignore lint/security/noGlobalEval: see above
    const load = globalThis.eval('url => import(url)') as (url: string) => Promise<unknown>;
    const imported = (url: string) => load(url).then(() => 'yes', String);
    const tags = ['img', 'script', 'iframe', 'link', 'object', 'embed', 'video', 'audio'];
    for (const url of urls) {
      seen[`fetch ${url}`] = await settled(fetch(url));
      seen[`fetch opaque ${url}`] = await settled(fetch(url, { mode: 'no-cors' }));
      seen[`import ${url}`] = await imported(url);
      seen[`worker ${url}`] = await worker(url);
      await Promise.all(tags.map(async tag => (seen[`${tag} ${url}`] = await element(tag, url))));
    }
    const timings = performance.getEntriesByType('resource').map(({ name }) => name);
    return { ...seen, timings: timings.filter(name => name.startsWith('chrome-extension:')).sort() };
  }, addresses);
}

/** What a page finds in itself, and what is answered when it says to itself what the module for pages says. */
function messageProbes(page: Page): Promise<Record<string, unknown>> {
  return page.evaluate(async () => {
    const said: unknown[] = [];
    addEventListener('message', ({ data }) => said.push(data?.manypath === undefined ? data : 'itself'));
    const answers: unknown[] = [];
    for (const message of [
      { manypath: 'ask', wishes: [] },
      { manypath: 'ask' },
      { manypath: 'ask', wishes: [{ host: '*', port: 1 }] },
      { manypath: 'ask', wishes: [{ host: 'a.example', port: 0 }] },
      { manypath: 'connect', version: 1 },
      { manypath: 'connect', version: 2 },
      { manypath: 'pass' },
      { manypath: 'hello' },
      null,
    ]) {
      const [one, two] = [new MessageChannel(), new MessageChannel()];
      one.port1.onmessage = two.port1.onmessage = ({ data }) => answers.push(data);
      postMessage(message, location.origin, [one.port2, two.port2]);
    }
    await new Promise(resolve => setTimeout(resolve, 3000));
    const { chrome = {} } = globalThis as unknown as { chrome?: Record<string, unknown> };
    return {
      said,
      answers,
      chrome: Object.getOwnPropertyNames(chrome).sort(),
      frames: frames.length,
      globals: Object.getOwnPropertyNames(window).sort(),
      document: document.documentElement.outerHTML,
    };
  });
}

/** Where a window ends up that a page opens at an address, as far as the page can tell. */
async function windowProbes(page: Page, addresses: string[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (const url of addresses) {
    seen.push(
      await page.evaluate(async address => {
        const opened = window.open(address);
        await new Promise(resolve => setTimeout(resolve, 500));
        let place = '';
        try {
          place = String(opened?.location.href);
        } catch (error) {
          place = (error as DOMException).name;
        }
        const { closed, length } = opened ?? {};
        opened?.close();
        return { address, place, closed, length };
      }, url),
    );
  }
  return seen;
}

describe.skipIf(reason)(`the extension${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let folder: CommandFolder;
  let withIt: BrowserContext;
  let without: BrowserContext;
  const site = createServer((request, response) => {
    if (request.url === '/isolated') {
      response.setHeader('cross-origin-embedder-policy', 'require-corp');
      response.setHeader('cross-origin-opener-policy', 'same-origin');
    }
    if (request.url === '/strict') {
      const policy = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'";
      response.setHeader('content-security-policy', policy);
    }
    response.setHeader('content-type', 'text/html').end('<!doctype html><body>a page');
  });
  const address = (path: string) => `http://127.0.0.1:${(site.address() as AddressInfo).port}${path}`;

  beforeAll(async () => {
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    folder = new CommandFolder();
    withIt = await openBrowser(folder, folder.path);
    without = await chromium.launchPersistentContext(join(folder.path, 'other-profile'), {
      executablePath: findBrowser({ chosen: undefined }).path,
      headless: false,
      ignoreDefaultArgs: ['--disable-extensions'],
      args: ['--headless=new', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])],
    });
  });
  afterAll(async () => {
    await withIt?.close();
    await without?.close();
    site.close();
    folder?.[Symbol.dispose]();
  });

  /** What a page finds in a browser with the extension, and in one without. */
  async function inBoth<T>(path: string, probe: (page: Page) => Promise<T>): Promise<[T, T]> {
    const found = [withIt, without].map(async context => {
      const page = await context.newPage();
      await page.goto(address(path));
      const seen = await probe(page);
      await page.close();
      return seen;
    });
    return Promise.all(found) as Promise<[T, T]>;
  }

  const own = (file: string) => `chrome-extension://${extensionId}/${file}`;
  const files = () => ['', 'nothing.html', ...readdirSync(extensionFolder().folder)];

  it.each(['/plain', '/isolated', '/strict'])(
    'has no address that a page like %s can tell from one that is not there',
    { timeout: 120_000 },
    async path => {
      const [seen, unseen] = await inBoth(path, page => addressProbes(page, files().map(own)));
      expect(seen).toEqual(unseen);
    },
  );

  it('lets no page open a window of it that tells', { timeout: 60_000 }, async () => {
    const addresses = ['', 'nothing.html', 'streams-frame.html', 'options.html', 'manifest.json'].map(own);
    const [seen, unseen] = await inBoth('/plain', page => windowProbes(page, addresses));
    expect(seen).toEqual(unseen);
  });

  it.each(['/plain', '/isolated', '/strict'])(
    'leaves nothing in a page like %s, and answers none that the user allowed nothing',
    { timeout: 60_000 },
    async path => {
      const [seen, unseen] = await inBoth(path, messageProbes);
      expect(seen).toEqual(unseen);
      expect(seen.answers).toEqual([]);
    },
  );
});
