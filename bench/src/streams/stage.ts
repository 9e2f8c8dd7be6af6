import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { extensionId } from '@manypath/core';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { requireTool } from '../tools.ts';

/** The command itself. */
export const main = fileURLToPath(new URL('../../../packages/cli/dist/main.js', import.meta.url));
const peerFolder = fileURLToPath(new URL('../../native-peer', import.meta.url));

/** What a service is and where: TCP, and the site that offers it by WebSocket. */
export interface Served {
  readonly port: number;
  readonly sitePort: number;
  readonly child: ChildProcess;
}

/** Starts `manypath serve-echo` on free ports. */
export async function serve(service: 'echo' | 'source'): Promise<Served> {
  const place = ['--listen', '127.0.0.1:0', '--page', '127.0.0.1:0'];
  const child = spawn(process.execPath, [main, 'serve-echo', '--json', '--service', service, ...place], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>(resolve => child.stdout.once('data', data => resolve(String(data))));
  const { listen, page } = JSON.parse(line) as { listen: { port: number }; page: { port: number } };
  return { port: listen.port, sitePort: page.port, child };
}

/** A browser that `manypath browse` opened, with a page of the site in it that may open streams to all services. */
export async function openStreams(
  folder: string,
  site: Served,
  services: readonly Served[],
): Promise<{ context: BrowserContext; page: Page }> {
  const origin = `http://127.0.0.1:${site.sitePort}`;
  const allow = services.map(({ port }) => ({ origin, host: '127.0.0.1', port, local: true }));
  mkdirSync(join(folder, 'config/manypath'), { recursive: true });
  writeFileSync(join(folder, 'config/manypath/config.json'), JSON.stringify({ streams: { allow } }));
  const words = [process.execPath, main, 'browse', '--no-isolate', '--state', join(folder, 'state'), '--'];
  const command = words.map(word => `'${word}'`).join(' ');
  const file = join(folder, 'browse');
  writeFileSync(
    file,
    `#!/bin/sh\nexport XDG_CONFIG_HOME='${join(folder, 'config')}'\nexec ${command} "$@"\n`,
  );
  chmodSync(file, 0o755);
  const context = await launch(join(folder, 'profile'), file, []);
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await addModule(page);
  return { context, page };
}

/** Makes the page a new one, with nothing left of what it did. */
export async function renew(page: Page): Promise<void> {
  await page.reload();
  await addModule(page);
}

async function addModule(page: Page): Promise<void> {
  const content = "import * as manypath from '/manypath-page.js'; window.manypath = manypath;";
  await page.addScriptTag({ type: 'module', content });
  await page.waitForFunction("'manypath' in window");
}

/** A browser with the peer: an extension that has native messaging and nothing else. */
export async function openNativePeer(folder: string): Promise<{ context: BrowserContext; page: Page }> {
  const profile = join(folder, 'peer-profile');
  mkdirSync(join(profile, 'NativeMessagingHosts'), { recursive: true });
  const host = join(folder, 'peer-host');
  writeFileSync(host, `#!/bin/sh\nexec '${process.execPath}' '${join(peerFolder, 'host.mjs')}'\n`);
  chmodSync(host, 0o755);
  const manifest = {
    name: 'org.manypath.bench',
    description: 'peer',
    path: host,
    type: 'stdio',
    allowed_origins: [`chrome-extension://${extensionId}/`],
  };
  writeFileSync(join(profile, 'NativeMessagingHosts/org.manypath.bench.json'), JSON.stringify(manifest));
  const context = await launch(profile, requireTool('chromium'), [
    `--load-extension=${peerFolder}`,
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
  ]);
  const page = await context.newPage();
  await page.goto(`chrome-extension://${extensionId}/page.html`);
  return { context, page };
}

async function launch(profile: string, executablePath: string, args: string[]): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    ignoreDefaultArgs: ['--disable-extensions'],
    args,
  });
  try {
    if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
    return context;
  } catch (error) {
    await context.close();
    throw error;
  }
}
