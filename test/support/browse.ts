import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '@manypath/lab';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { manypathArguments } from './manypath.ts';

/**
 * Opens `manypath browse` on the laptop of the lab, driven through a script that takes the place of the browser's own program. The
 * extension is there when this is fulfilled.
 */
export async function openBrowse(
  lab: Lab,
  folder: string,
  options: readonly string[],
  browserArguments: readonly string[] = [],
): Promise<BrowserContext> {
  const client = (await lab.exec('client', ['ip', 'netns', 'identify'])).stdout.trim();
  const file = join(folder, 'browse');
  const words = ['ip', 'netns', 'exec', client, ...manypathArguments, 'browse', ...options];
  const command = [...words, '--state', join(folder, 'state'), '--'].map(word => `'${word}'`).join(' ');
  writeFileSync(
    file,
    `#!/bin/sh\nexport XDG_CONFIG_HOME='${join(folder, 'config')}'\nexec ${command} "$@"\n`,
  );
  chmodSync(file, 0o755);
  const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
    executablePath: file,
    ignoreDefaultArgs: ['--disable-extensions'],
    args: [...browserArguments],
    timeout: 30_000,
  });
  if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
  return context;
}

const pictures = fileURLToPath(new URL('../../artefacts/', import.meta.url));

/** Keeps what a page of the extension looks like, in light and dark. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(pictures, { recursive: true });
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: null });
}
