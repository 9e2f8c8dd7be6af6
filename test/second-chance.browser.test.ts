import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowse } from './support/browse.ts';
import { pairingOfLabRelay } from './support/relay.ts';
import { removeFolder } from './support/remove-folder.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(
  `a browser that is not isolated, when the network changes${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let folder: string;
    let lab: Lab;
    let context: BrowserContext;
    let page: Page;
    let extensionPage: Page;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'manypath-second-chance-'));
      lab = await Lab.create({
        links: [
          { name: 'a', rateMbit: 20 },
          { name: 'b', rateMbit: 20 },
        ],
      });
      await lab.startOrigin('origin');
      const pairing = await pairingOfLabRelay(lab, folder);
      context = await openBrowse(
        lab,
        folder,
        ['--relay', pairing, '--no-isolate'],
        ['--ignore-certificate-errors'],
      );
      page = await context.newPage();
      extensionPage = await context.newPage();
      await extensionPage.goto(`chrome-extension://${extensionId}/dashboard.html`);
      await page.goto(`https://${lab.addresses.origin}/whoami`);
    });

    afterAll(async () => {
      await context?.close();
      await lab?.destroy();
      removeFolder(folder);
    });

    /** An address comes and goes, as with a VPN, a dock or another Wi-Fi. */
    async function changeNetwork(): Promise<void> {
      await lab.exec('client', ['ip', 'address', 'add', '10.99.0.1/24', 'dev', 'a']);
      await lab.exec('client', ['ip', 'address', 'delete', '10.99.0.1/24', 'dev', 'a']);
    }

    const notes = () => extensionPage.locator('#events').textContent();

    it('loads a page again that it broke off, once, and says so', async () => {
      const errors: string[] = [];
      page.on('requestfailed', request => errors.push(request.failure()?.errorText ?? ''));
      const answered = page.waitForResponse(response => response.url().includes('ms=2500'), {
        timeout: 15_000,
      });
      void page.goto(`https://${lab.addresses.origin}/slow?bytes=1&ms=2500&page`).catch(() => {});
      await page.waitForTimeout(700);
      await changeNetwork();
      await expect.poll(() => errors.length, { timeout: 5000 }).toBeGreaterThan(0);
      expect(errors[0]).toBe('net::ERR_NETWORK_CHANGED');
      expect((await answered).status()).toBe(200);
      await expect.poll(notes).toContain('it was loaded again');
    });

    it('resumes a download that it broke off, to its last byte', async () => {
      await page.goto(`https://${lab.addresses.origin}/whoami`);
      const begun = page.waitForEvent('download');
      await page.evaluate(`
        const link = Object.assign(document.createElement('a'), { href: '/bytes/12000000?download=big.bin' });
        document.body.append(link);
        link.click();`);
      const download = await begun;
      await page.waitForTimeout(1000);
      await changeNetwork();
      await expect.poll(notes, { timeout: 10_000 }).toContain('it was resumed');
      const state = () =>
        extensionPage.evaluate(async () => (await chrome.downloads.search({})).map(({ state }) => state));
      await expect.poll(state, { timeout: 20_000 }).toEqual(['complete']);
      const file = await extensionPage.evaluate(async () => (await chrome.downloads.search({}))[0]?.filename);
      expect(statSync(file ?? '').size).toBe(12_000_000);
      expect(download.url()).toContain('/bytes/');
    });

    it('leaves all as it is for who switched that off', async () => {
      const options = await context.newPage();
      await options.goto(`chrome-extension://${extensionId}/options.html`);
      await options.getByLabel(/Resume downloads and reload pages/).uncheck();
      const before = await notes();
      const errors: string[] = [];
      page.on('requestfailed', request => errors.push(request.failure()?.errorText ?? ''));
      void page.goto(`https://${lab.addresses.origin}/slow?bytes=1&ms=3000&page`).catch(() => {});
      await page.waitForTimeout(700);
      await changeNetwork();
      await expect.poll(() => errors.length, { timeout: 5000 }).toBe(1);
      await page.waitForTimeout(1500);
      expect(await notes()).toBe(before);
    });
  },
);
