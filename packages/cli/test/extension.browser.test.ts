import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { Gateway } from '@manypath/gateway';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolder } from '../../../test/support/remove-folder.ts';
import { findBrowser } from '../src/browser/find-browser.ts';
import { writeNativeHost } from '../src/install/index.ts';
import { extensionFolder } from '../src/own-files.ts';
import { missingFor } from './browser/support/requirements.ts';

const missing = missingFor('browser', ['chromium']);

describe.skipIf(missing !== undefined)(`the extension in Chromium${missing ? ` (${missing})` : ''}`, () => {
  let folder: string;
  let gateway: Gateway | undefined;
  let origin: Server;
  let context: BrowserContext;
  let popup: Page;
  let page: Page;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-extension-'));
    origin = createServer((request, response) => response.end(request.socket.localAddress));
    await new Promise<void>(resolve => origin.listen(0, '0.0.0.0', resolve));
    gateway = await startGateway();
    const profile = join(folder, 'profile');
    writeNativeHost(profile, state());
    context = await chromium.launchPersistentContext(profile, {
      executablePath: findBrowser({ chosen: undefined }).path,
      headless: false,
      ignoreDefaultArgs: ['--disable-extensions'],
      args: [
        '--headless=new',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        `--load-extension=${extensionFolder().folder}`,
        '--host-resolver-rules=MAP origin.test 127.0.0.1',
      ],
    });
    // A page of the extension can be opened once its worker runs.
    if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
    popup = await context.newPage();
    await popup.goto(`chrome-extension://${extensionId}/popup.html`);
    page = await context.newPage();
  });

  afterAll(async () => {
    await context?.close();
    await gateway?.close();
    origin?.close();
    removeFolder(folder);
  });

  const state = () => join(folder, 'state');

  /** It finds the origin at another address than the browser does, so that the origin can tell who asks. */
  const startGateway = (port = 0) =>
    Gateway.start({
      stateDir: state(),
      listen: { host: '127.0.0.1', port },
      localNames: ['*.test'],
      lookup: async () => [{ address: '127.0.0.2', family: 4 }],
    });

  const seenByOrigin = async (): Promise<string | null> => {
    const { port } = origin.address() as AddressInfo;
    try {
      await page.goto(`http://origin.test:${port}/${Math.random()}`);
    } catch {
      return 'nothing';
    }
    return page.textContent('body');
  };
  const multipath = () => popup.getByRole('switch', { name: 'Multipath' });
  const status = () => popup.getByRole('status');

  it('has connections go by the gateway', async () => {
    await expect.poll(() => status().textContent()).toMatch(/running|path/i);
    expect(await multipath().getAttribute('aria-checked')).toBe('true');
    await expect.poll(seenByOrigin).toBe('127.0.0.2');
  });

  it('switches them off and on again for new connections', async () => {
    await multipath().click();
    await expect.poll(seenByOrigin).toBe('127.0.0.1');
    expect(await status().textContent()).toContain('Off');
    await multipath().click();
    await expect.poll(seenByOrigin).toBe('127.0.0.2');
  });

  it('says that the gateway is gone, lets browsing go on, and recovers by itself', async () => {
    const port = gateway?.proxy.port ?? 0;
    await gateway?.close();
    gateway = undefined;
    await expect.poll(() => status().textContent(), { timeout: 2000 }).toContain('not running');
    expect(await seenByOrigin()).toBe('127.0.0.1');
    gateway = await startGateway(port);
    await expect.poll(() => status().textContent(), { timeout: 3000 }).not.toContain('not running');
    await expect.poll(seenByOrigin, { timeout: 3000 }).toBe('127.0.0.2');
  });

  it('blocks browsing while the gateway is gone, for who chose that', async () => {
    const options = await context.newPage();
    await options.goto(`chrome-extension://${extensionId}/options.html`);
    await options.getByLabel(/Block browsing/).check();
    await gateway?.close();
    gateway = undefined;
    await expect.poll(() => status().textContent(), { timeout: 2000 }).toContain('blocked');
    expect(await seenByOrigin()).toBe('nothing');
    await options.getByLabel(/Block browsing/).uncheck();
    await expect.poll(seenByOrigin).toBe('127.0.0.1');
  });
});
