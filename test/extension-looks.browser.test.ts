import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { formatPairing, parsePairing } from '@manypath/core';
import { type Relay, startRelay } from '@manypath/relay';
import axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandFolder } from '../packages/cli/test/support/command.ts';
import { openBrowser, pageAddress } from '../packages/cli/test/support/extension-browser.ts';
import { picture } from './support/browse.ts';
import { whyNoBrowser } from './support/requirements.ts';

const reason = whyNoBrowser();

describe.skipIf(reason)(`pages of the extension${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let folder: CommandFolder;
  let relay: Relay;
  let stop: () => Promise<void>;
  let context: BrowserContext;

  beforeAll(async () => {
    folder = new CommandFolder();
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const listen = { host: '127.0.0.1', port: (probe.address() as AddressInfo).port };
    await new Promise(resolve => probe.close(resolve));
    relay = await startRelay({
      listen,
      publicHost: listen,
      stateDir: join(folder.path, 'relay'),
      allowPrivate: true,
    });
    stop = await folder.up();
    context = await openBrowser(folder, join(folder.path, 'manypath'));
  });
  afterAll(async () => {
    await context?.close();
    await stop?.();
    await relay?.close();
    folder?.[Symbol.dispose]();
  });

  const open = async (name: string, ready: string): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(pageAddress(name));
    await page.locator(ready).first().waitFor();
    return page;
  };
  const colourOf = (page: Page, selector: string) =>
    page
      .locator(selector)
      .first()
      .evaluate(element => getComputedStyle(element).color);

  it('say of a wrong secret, beside its field, that the relay refuses it, and keep what was typed', async () => {
    const page = await open('options.html', '#relay form');
    const right = parsePairing(relay.pairing);
    const wrong = formatPairing({ ...right, secret: `${right.secret.slice(0, -4)}AAAA` });
    const field = page.locator('#relay input');
    await field.fill(wrong);
    await page.getByRole('button', { name: 'Pair', exact: true }).click();
    const outcome = page.locator('#relay .outcome');
    await expect.poll(() => outcome.textContent(), { timeout: 12_000 }).toContain('Not paired');
    expect(await page.locator('#relay .outcome.done').count()).toBe(0);
    expect(await field.inputValue()).toBe(wrong);
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    await picture(page, 'pairing-refused');
    const popup = await open('popup.html', '#relay');
    await expect.poll(() => popup.locator('.status.broken').count()).toBe(1);
    expect(await popup.locator('#relay').textContent()).toContain('refuses this pairing');
    expect(await colourOf(popup, '.status')).not.toBe(await colourOf(popup, 'h1'));
    await picture(popup, 'popup-refused');
    await popup.close();
    await field.fill(relay.pairing);
    await page.getByRole('button', { name: 'Pair', exact: true }).click();
    await expect.poll(() => outcome.textContent(), { timeout: 12_000 }).toBe('Paired.');
    expect(await page.locator('#relay .outcome.done').count()).toBe(1);
    expect(await field.inputValue()).toBe('');
    await page.close();
  });

  it('keep a cap or a host that is none, and say so beside it', async () => {
    const page = await open('options.html', '#paths tbody tr');
    const cap = page.getByLabel(/^Daily cap of/).first();
    await cap.fill('much');
    await cap.blur();
    await expect.poll(() => page.locator('#paths .outcome.error').count()).toBe(1);
    expect(await cap.inputValue()).toBe('much');
    const host = page.getByLabel('Host');
    await host.fill('not a host');
    await page.getByRole('button', { name: 'Add' }).click();
    await expect.poll(() => page.locator('#sites .outcome.error').count()).toBe(1);
    expect(await host.inputValue()).toBe('not a host');
    expect(await page.locator('.outcome').count()).toBe(1);
    await page.close();
  });

  it('list connections that failed, with the reason', async () => {
    const page = await context.newPage();
    await page.goto('https://nowhere.invalid/').catch(() => {});
    await page.close();
    const dashboard = await open('dashboard.html', '#failures tbody tr');
    const text = await dashboard.locator('#failures').textContent();
    expect(text).toContain('nowhere.invalid:443');
    expect(text).toContain('MANYPATH_');
    await dashboard.close();
  });

  it('show the colour of every path, and the time, also when nothing moves', async () => {
    const popup = await open('popup.html', '[data-path]');
    const marks = popup.locator('[data-path] .mark');
    for (const mark of await marks.all()) {
      expect(await mark.evaluate(element => getComputedStyle(element).backgroundColor)).not.toBe(
        'rgba(0, 0, 0, 0)',
      );
    }
    // The axis is drawn on a canvas: something is, in its lower third, where no curve begins.
    const drawn = () =>
      popup.locator('.chart canvas').evaluate(element => {
        const canvas = element as HTMLCanvasElement;
        const height = Math.round(canvas.height / 3);
        const pixels = canvas
          .getContext('2d')
          ?.getImageData(canvas.width / 3, canvas.height - height, (canvas.width * 2) / 3, height).data;
        return pixels?.some((value, index) => index % 4 === 3 && value > 0) ?? false;
      });
    await expect.poll(drawn).toBe(true);
    expect(await popup.locator('.totals').textContent()).toMatch(/↓ .*↑ .*Relay/);
    await popup.close();
  });

  describe.each([
    ['popup.html', '[data-path]'],
    ['options.html', '#paths tbody tr'],
    ['dashboard.html', '#usage'],
  ])('%s', (name, ready) => {
    it('fits into 360 pixels and into many, and its chart with it, without a fault that axe finds', async () => {
      const page = await open(name, ready);
      for (const width of [1280, 360]) {
        await page.setViewportSize({ width, height: 800 });
        const widest = () => page.evaluate(() => document.documentElement.scrollWidth);
        await expect.poll(widest).toBeLessThanOrEqual(width);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          await page.evaluate(axe.source);
          const { violations } = await page.evaluate(() =>
            (globalThis as unknown as { axe: typeof axe }).axe.run(),
          );
          const found = violations.map(
            ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`,
          );
          expect(found).toEqual([]);
        }
        await page.emulateMedia({ colorScheme: null });
        await picture(page, `${name.replace('.html', '')}-${width}`);
      }
      await page.close();
    });
  });
});
