import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LaunchOptions, launch, makeCertificate } from './support/browser-under-test.ts';
import { HostNamespace } from './support/host-namespace.ts';
import { missingFor } from './support/requirements.ts';

const missing = missingFor('browser', ['chromium', 'ip', 'nft', 'unshare', 'setpriv', 'openssl']);

/** Everything a laptop does when links come and go, spread over the length of the download. */
const changes = [
  'address add 10.77.1.50/24 dev lan0',
  'link add wan0 type veth peer name wan1',
  'link set wan0 up',
  'link set wan1 up',
  'address add 10.88.0.1/24 dev wan0',
  'address delete 10.77.1.50/24 dev lan0',
  'link set wan0 down',
  'link set wan0 up',
  'address delete 10.88.0.1/24 dev wan0',
  'link delete wan0',
];

describe.skipIf(missing !== undefined)(
  `a network change under an HTTP/2 download${missing ? ` (${missing})` : ''}`,
  () => {
    let host: HostNamespace;
    beforeAll(async () => {
      host = new HostNamespace();
      makeCertificate(host.folder);
      await host.start('./origin-server.mjs', [host.folder, 'https://203.0.113.5:443'], 'device');
    });
    afterAll(() => host?.destroy());

    const open = async (through: LaunchOptions['through']): Promise<[Browser, Page]> => {
      const browser = await launch({ host, through });
      const context = await browser.newContext({ ignoreHTTPSErrors: true });
      const page = await context.newPage();
      await page.goto('https://origin.test/');
      return [browser, page];
    };

    it('is not noticed in the quiet namespace: the download is whole, the browser stays online', async () => {
      const [browser, page] = await open('quiet namespace');
      try {
        const download = page.evaluate<Download>(`download('/slow')`);
        await disturb(page, host);
        const { error, bytes, digest, protocol } = await download;
        expect({ error, bytes, protocol }).toEqual({ error: null, bytes: 1_200_000, protocol: 'h2' });
        expect(digest).toBe(await page.evaluate(`fetch('/slow-digest').then(response => response.text())`));
        expect(await page.evaluate('navigator.onLine')).toBe(true);
        expect(await page.evaluate('seen')).toEqual([]);
      } finally {
        await browser.close();
      }
    });

    it('breaks the download off without isolation, which is what the namespace is for', async () => {
      const [browser, page] = await open('no isolation');
      try {
        const failures: string[] = [];
        page.on('requestfailed', request => failures.push(request.failure()?.errorText ?? ''));
        const download = page.evaluate<Download>(`download('/slow')`);
        await disturb(page, host);
        expect((await download).error).not.toBe(null);
        expect(failures).toContain('net::ERR_NETWORK_CHANGED');
      } finally {
        await browser.close();
      }
    });
  },
);

interface Download {
  error: string | null;
  bytes: number;
  digest: string;
  protocol: string;
}

/** Spread over the 2.4 seconds that the download takes; the waiting is part of the scene, not a guess. */
async function disturb(page: Page, host: HostNamespace): Promise<void> {
  await page.waitForTimeout(300);
  for (const change of changes) {
    host.ip(change);
    await page.waitForTimeout(150);
  }
}
