import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { missingFor } from './browser/support/requirements.ts';
import { CommandFolder } from './support/command.ts';
import { pageAddress as address, openBrowser } from './support/extension-browser.ts';

const missing = missingFor('browser', ['chromium']);

describe.skipIf(missing !== undefined)(`the settings page${missing ? ` (${missing})` : ''}`, () => {
  let folder: CommandFolder;
  let stop: () => Promise<void>;
  let context: BrowserContext;
  let options: Page;

  beforeAll(async () => {
    folder = new CommandFolder();
    stop = await folder.up();
    context = await openBrowser(folder, join(folder.path, 'manypath'));
    options = await context.newPage();
    await options.goto(address('options.html'));
    await options.locator('#doctor').waitFor();
  });
  afterAll(async () => {
    await context?.close();
    await stop?.();
    folder?.[Symbol.dispose]();
  });

  const file = () => JSON.parse(readFileSync(folder.config, 'utf8')) as Record<string, unknown>;
  const outcome = () => options.getByRole('status').last().textContent();

  it('pairs with a relay that a link brought, when the user says so', async () => {
    const pairing = 'manypath://c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I@127.0.0.1:9';
    await options.goto(`${address('options.html')}?again#pair=${encodeURIComponent(pairing)}`);
    await options.getByRole('button', { name: 'Pair' }).waitFor();
    // Nothing is paired by opening a link, and what it brought is not left in the address.
    expect(options.url()).not.toContain('c2VjcmV0');
    expect(() => file()).toThrow();
    await options.getByRole('button', { name: 'Pair' }).click();
    // Nobody is there: what was written down may still be right.
    await expect.poll(outcome, { timeout: 10_000 }).toBe('Paired.');
    expect(file()).toEqual({ relay: pairing });
    await expect
      .poll(() => options.locator('#relay').textContent(), { timeout: 5000 })
      .toContain('127.0.0.1:9');
    await options.getByRole('button', { name: 'Forget this relay' }).click();
    await expect.poll(() => file()).toEqual({});
  });

  it('adds and removes rules for sites', async () => {
    await options.getByLabel('Host').fill('video.example');
    await options.getByLabel('What').selectOption('tcp');
    await options.getByRole('button', { name: 'Add' }).click();
    await expect.poll(() => file().rules).toEqual([{ host: 'video.example', route: 'tcp' }]);
    await options.getByRole('button', { name: 'Remove the rule for video.example' }).click();
    await expect.poll(() => file().rules).toEqual([]);
  });

  it('says what is wrong with an entry, and changes nothing', async () => {
    const before = file();
    await options.getByLabel('Host').fill('not a host');
    await options.getByLabel('What').selectOption('relay');
    await options.getByRole('button', { name: 'Add' }).click();
    await expect.poll(outcome).toContain('it must be a host name');
    expect(file()).toEqual(before);
  });

  it('shows what the doctor finds', async () => {
    await options.getByRole('button', { name: /Find what stops/ }).click();
    await expect.poll(() => options.locator('.findings li').count(), { timeout: 20_000 }).toBeGreaterThan(3);
  });

  it('exports its settings and takes them back', async () => {
    await options.getByLabel('Host').fill('*.live.example');
    await options.getByLabel('What').selectOption('bypass');
    await options.getByRole('button', { name: 'Add' }).click();
    await options.getByText('*.live.example', { exact: true }).waitFor();
    const begun = options.waitForEvent('download');
    await options.getByRole('button', { name: 'Export' }).click();
    const exported = join(folder.path, 'exported.json');
    await (await begun).saveAs(exported);
    expect(JSON.parse(readFileSync(exported, 'utf8'))).toMatchObject({
      manypath: 'settings',
      choice: { bypass: ['*.live.example'] },
    });
    await options.getByRole('button', { name: 'Remove the rule for *.live.example' }).click();
    await expect.poll(() => options.getByText('*.live.example', { exact: true }).count()).toBe(0);
    await options.getByLabel('Import').setInputFiles(exported);
    await expect.poll(outcome).toBe('Imported.');
    await options.getByText('*.live.example', { exact: true }).waitFor();
    writeFileSync(exported, '{"manypath":"something else"}');
    await options.getByLabel('Import').setInputFiles(exported);
    await expect.poll(outcome).toBe('This file holds no settings of Manypath.');
  });

  it('works by keyboard alone in the popup', async () => {
    const popup = await context.newPage();
    await popup.goto(address('popup.html'));
    const multipath = popup.getByRole('switch', { name: 'Multipath' });
    await multipath.waitFor();
    await popup.keyboard.press('Tab');
    expect(await multipath.evaluate(element => element.matches(':focus-visible'))).toBe(true);
    await popup.keyboard.press('Space');
    await expect.poll(() => multipath.getAttribute('aria-checked')).toBe('false');
    await popup.keyboard.press('Space');
    await expect.poll(() => multipath.getAttribute('aria-checked')).toBe('true');
    await popup.close();
  });
});

describe.skipIf(missing !== undefined)(`the popup${missing ? ` (${missing})` : ''}`, () => {
  it('names another extension that controls the proxy', async () => {
    const folder = new CommandFolder();
    onTestFinished(() => folder[Symbol.dispose]());
    const rival = join(folder.path, 'rival');
    mkdirSync(rival);
    const manifest = { manifest_version: 3, name: 'Rival', version: '1', permissions: ['proxy'] };
    const script = `chrome.proxy.settings.set({ value: { mode: 'direct' } });`;
    writeFileSync(
      join(rival, 'manifest.json'),
      JSON.stringify({ ...manifest, background: { service_worker: 'w.js' } }),
    );
    writeFileSync(join(rival, 'w.js'), script);
    const context = await openBrowser(folder, join(folder.path, 'manypath'), [rival]);
    onTestFinished(() => context.close());
    const popup = await context.newPage();
    await popup.goto(address('popup.html'));
    await expect
      .poll(() => popup.getByRole('status').textContent(), { timeout: 10_000 })
      .toContain('set by another extension');
  });

  it('says so when the gateway speaks another version', async () => {
    const folder = new CommandFolder();
    onTestFinished(() => folder[Symbol.dispose]());
    const stateDir = join(folder.path, 'state');
    mkdirSync(stateDir);
    const gateway = await futureGateway(join(stateDir, 'control.sock'));
    onTestFinished(() => void gateway.close());
    const context = await openBrowser(folder, stateDir);
    onTestFinished(() => context.close());
    const popup = await context.newPage();
    await popup.goto(address('popup.html'));
    await expect
      .poll(() => popup.getByRole('status').textContent(), { timeout: 10_000 })
      .toContain('Manypath 9.0.0 do not understand each other');
  });
});

/** There is no other version yet: this says hello as one would. */
function futureGateway(path: string): Promise<Server> {
  const hello = {
    protocol: 99,
    version: '9.0.0',
    proxy: { host: '127.0.0.1', port: 1 },
    straightProxy: null,
  };
  const server = createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', bytes => {
      const { id } = JSON.parse(String(bytes)) as { id: number };
      socket.write(`${JSON.stringify({ id, result: hello })}\n`);
    });
  });
  return new Promise(resolve => server.listen(path, () => resolve(server)));
}
