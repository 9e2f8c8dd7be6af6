import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { Lab } from '@manypath/lab';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manypathArguments, startManypath } from './support/manypath.ts';
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
    const relay = await startManypath(
      [
        'relay',
        '--json',
        '--listen',
        '0.0.0.0:8443',
        '--public',
        lab.addresses.relay,
        '--allow-private',
        '--state',
        join(folder, 'relay'),
      ],
      command => lab.spawn('relay', command),
    );
    context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      executablePath: await browser(String(relay.ready.pairing)),
      ignoreDefaultArgs: ['--disable-extensions'],
      timeout: 30_000,
    });
    if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
    popup = await context.newPage();
    await popup.goto(`chrome-extension://${extensionId}/popup.html`);
    page = await context.newPage();
  });

  afterAll(async () => {
    await context?.close();
    await lab?.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A script that takes the place of the browser's own program, in the namespace of the laptop. */
  async function browser(pairing: string): Promise<string> {
    const client = (await lab.exec('client', ['ip', 'netns', 'identify'])).stdout.trim();
    const file = join(folder, 'browse');
    const state = join(folder, 'state');
    const words = [
      'ip',
      'netns',
      'exec',
      client,
      ...manypathArguments,
      'browse',
      '--relay',
      pairing,
      '--state',
      state,
      '--',
    ];
    writeFileSync(file, `#!/bin/sh\nexec ${words.map(word => `'${word}'`).join(' ')} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  const whoami = async (): Promise<string> => {
    await page.goto(`http://${lab.addresses.origin}/whoami`);
    const { address } = JSON.parse((await page.textContent('body')) ?? '{}') as { address: string };
    return address === lab.addresses.relay ? 'relay' : 'laptop';
  };

  it('is there, and shows both paths', async () => {
    await expect.poll(() => popup.locator('[data-path]').count(), { timeout: 5000 }).toBe(2);
    expect(await popup.getByRole('status').textContent()).toContain('2 paths');
    await expect.poll(whoami).toBe('relay');
  });

  it('has the origin see the laptop when it is switched off, and the relay again, within a second', async () => {
    const multipath = popup.getByRole('switch', { name: 'Multipath' });
    await multipath.click();
    await expect.poll(whoami, { timeout: 1000 }).toBe('laptop');
    await multipath.click();
    await expect.poll(whoami, { timeout: 1000 }).toBe('relay');
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
  });
});

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
