import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { type BrowserContext, chromium } from 'playwright-core';
import { findBrowser } from '../../src/browser/find-browser.ts';
import { writeNativeHost } from '../../src/install/index.ts';
import { extensionFolder } from '../../src/own-files.ts';
import type { CommandFolder } from './command.ts';

/** A browser that a user started, with the extension and whatever other ones. */
export async function openBrowser(
  folder: CommandFolder,
  stateDir: string,
  others: string[] = [],
): Promise<BrowserContext> {
  const profile = join(folder.path, 'profile');
  writeNativeHost(profile, stateDir);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findBrowser({ chosen: undefined }).path,
    headless: false,
    ignoreDefaultArgs: ['--disable-extensions'],
    acceptDownloads: true,
    args: [
      '--headless=new',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      `--load-extension=${[extensionFolder().folder, ...others].join(',')}`,
    ],
  });
  if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
  return context;
}

/** Where a page of the extension is. */
export const pageAddress = (page: string): string => `chrome-extension://${extensionId}/${page}`;
