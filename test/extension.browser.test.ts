import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowse, picture } from './support/browse.ts';
import { pairingOfLabRelay } from './support/relay.ts';
import { removeFolder } from './support/remove-folder.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(`the extension in manypath browse${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let folder: string;
  let lab: Lab;
  let context: BrowserContext;
  let popup: Page;
  let page: Page;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-browse-extension-'));
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 30 },
        { name: 'b', rateMbit: 30 },
      ],
    });
    await lab.startOrigin('origin');
    const pairing = await pairingOfLabRelay(lab, folder);
    context = await openBrowse(lab, folder, ['--relay', pairing]);
    popup = await context.newPage();
    await popup.goto(`chrome-extension://${extensionId}/popup.html`);
    page = await context.newPage();
  });

  afterAll(async () => {
    await context?.close();
    await lab?.destroy();
    removeFolder(folder);
  });

  const whoami = async (): Promise<string> => {
    await page.goto(`http://${lab.addresses.origin}/whoami`);
    const { address } = JSON.parse((await page.textContent('body')) ?? '{}') as { address: string };
    return address === lab.addresses.relay ? 'relay' : 'laptop';
  };

  it('is there, and shows both paths', async () => {
    await expect.poll(() => popup.locator('[data-path]').count(), { timeout: 5000 }).toBe(2);
    // Lanes are joined by the second path a moment after they are made.
    await expect.poll(() => popup.getByRole('status').textContent(), { timeout: 5000 }).toContain('2 paths');
    await expect.poll(whoami).toBe('relay');
  });

  it('has the origin see the laptop when it is switched off, and the relay again, within a second', async () => {
    const multipath = popup.getByRole('switch', { name: 'Multipath' });
    await multipath.click();
    await expect.poll(whoami, { timeout: 1000 }).toBe('laptop');
    await multipath.click();
    await expect.poll(whoami, { timeout: 1000 }).toBe('relay');
  });

  it('keeps working when its worker is killed, with nothing forgotten', async () => {
    const multipath = popup.getByRole('switch', { name: 'Multipath' });
    const killed = await killWorkers(page);
    expect(killed).toBeGreaterThan(0);
    await multipath.click();
    await expect.poll(whoami, { timeout: 2000 }).toBe('laptop');
    await killWorkers(page);
    expect(await whoami()).toBe('laptop');
    await popup.reload();
    expect(await multipath.getAttribute('aria-checked')).toBe('false');
    await multipath.click();
    await expect.poll(whoami, { timeout: 2000 }).toBe('relay');
  });

  it('goes around the gateway for a host that the user named, and only for that', async () => {
    const options = await context.newPage();
    await options.goto(`chrome-extension://${extensionId}/options.html`);
    await options.getByLabel('Host').fill(lab.addresses.origin);
    await options.getByRole('button', { name: 'Add' }).click();
    await expect.poll(whoami, { timeout: 2000 }).toBe('laptop');
    await options.getByRole('button', { name: /Remove the rule/ }).click();
    await expect.poll(whoami, { timeout: 2000 }).toBe('relay');
    await options.setViewportSize({ width: 1000, height: 900 });
    await picture(options, 'options');
    expect(await options.locator('#isolation').textContent()).toMatch(/network of its own|not isolated/);
    expect(await options.locator('#relay').textContent()).toContain('as the command line says');
    await options.close();
  });

  it('shows both paths of a download, with rates that add up to what arrives', async () => {
    const arrivals = page.evaluate(readInTheMiddle, `/bytes/45000000?${Math.random()}`);
    await popup.waitForTimeout(2500);
    const sums: number[] = [];
    for (let look = 0; look < 3; look++) {
      const rates = await popup
        .locator('[data-path]')
        .evaluateAll(cards => cards.map(card => Number(card.getAttribute('data-down-bytes-per-second'))));
      expect(Math.min(...rates)).toBeGreaterThan(1_000_000);
      sums.push(rates.reduce((sum, rate) => sum + rate, 0));
      await popup.waitForTimeout(900);
    }
    const shown = sums.sort((one, other) => one - other)[1] ?? 0;
    expect(shown / (await arrivals)).toBeGreaterThan(0.9);
    expect(shown / (await arrivals)).toBeLessThan(1.1);
    await popup.setViewportSize({ width: 392, height: 470 });
    await picture(popup, 'popup');
  });

  it('keeps what happened on the dashboard: both paths in the last two minutes, and a failover with its stall', async () => {
    const dashboard = await context.newPage();
    await dashboard.setViewportSize({ width: 1000, height: 900 });
    await dashboard.goto(`chrome-extension://${extensionId}/dashboard.html`);
    const label = () => dashboard.getByRole('img').getAttribute('aria-label');
    await expect.poll(label).toMatch(/now a .*, b /);
    const download = page.evaluate(readInTheMiddle, `/bytes/20000000?${Math.random()}`);
    await expect
      .poll(() => dashboard.locator('#connections tbody').textContent())
      .toMatch(/over a and b|over b and a/);
    await lab.cut('a', 'carrier');
    await download;
    await expect
      .poll(() => dashboard.locator('#events').textContent())
      .toMatch(/went on without this path\d+ ms/);
    await lab.heal('a');
    await expect
      .poll(() => dashboard.locator('#events').textContent(), { timeout: 8000 })
      .toMatch(/a: gone|a: dead/);
    expect(await dashboard.locator('#networks tbody tr').count()).toBeGreaterThanOrEqual(2);
    await picture(dashboard, 'dashboard');
    await dashboard.close();
  });
});

/** Ends the extension's worker as the browser does when it was idle. @returns How many there were. */
async function killWorkers(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  const { targetInfos } = await session.send('Target.getTargets');
  const workers = targetInfos.filter(
    ({ type, url }) => type === 'service_worker' && url.includes(extensionId),
  );
  for (const { targetId } of workers) await session.send('Target.closeTarget', { targetId });
  await session.detach();
  return workers.length;
}

/** Runs in the page. @returns Bytes a second of a download from a third of it on. */
async function readInTheMiddle(url: string): Promise<number> {
  const reader = (await fetch(url)).body?.getReader();
  let got = 0;
  let begin: { at: number; got: number } | undefined;
  for (;;) {
    const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
    if (done) break;
    got += value?.byteLength ?? 0;
    if (begin === undefined && got > 15_000_000) begin = { at: performance.now(), got };
  }
  return begin === undefined ? 0 : ((got - begin.got) * 1000) / (performance.now() - begin.at);
}
