import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { extensionId } from '@manypath/core';
import { Lab } from '@manypath/lab';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openBrowse } from './support/browse.ts';
import { hostSettings } from './support/host-settings.ts';
import { type RunningManypath, startManypath } from './support/manypath.ts';
import { startLabRelay } from './support/relay.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const reason = whyNoLab() ?? whyNoBrowser();

describe.skipIf(reason)(`a browser whose parts are killed${reason ? ` (skipped: ${reason})` : ''}`, () => {
  let folder: string;
  let lab: Lab;
  let before: object;
  let relay: RunningManypath;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    lab = await Lab.create();
    await lab.startOrigin('origin');
    before = hostSettings(lab.namespaces.client);
  });
  afterAll(() => lab.destroy());

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-killed-'));
    relay = await startLabRelay(lab, folder);
    context = await openBrowse(lab, folder, ['--relay', String(relay.ready.pairing)]);
    page = await context.newPage();
    await reaches();
  });
  afterEach(async () => {
    await context.close().catch(() => {});
    await relay.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const reaches = () =>
    expect
      .poll(
        async () => {
          const response = await page.goto(`http://${lab.addresses.origin}/whoami`).catch(() => undefined);
          return response?.status();
        },
        { timeout: 20_000 },
      )
      .toBe(200);

  /** Opens a popup, for which the extension keeps its host. */
  async function connected(): Promise<void> {
    const popup = await context.newPage();
    await popup.goto(`chrome-extension://${extensionId}/popup.html`);
    await expect.poll(() => popup.locator('[data-path]').count(), { timeout: 20_000 }).toBe(2);
    await expect.poll(() => processes('native-host').length, { timeout: 20_000 }).toBeGreaterThan(0);
  }

  /** Processes of this test whose command line has all of these words. */
  function processes(...words: string[]): number[] {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .filter(pid => {
        const text = `${read(pid, 'cmdline')}\0${read(pid, 'environ')}`;
        return text.includes(folder) && words.every(word => read(pid, 'cmdline').includes(word));
      })
      .map(Number);
  }

  function kill(...words: string[]): void {
    const pids = processes(...words);
    expect(pids.length).toBeGreaterThan(0);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
  }

  /** The process that started the browser; it may hide its own command line. */
  function gatewayPid(): number {
    const [browser] = processes('chromium', '--remote-debugging-pipe').filter(
      pid => !read(String(pid), 'cmdline').includes('--type='),
    );
    const pid = Number(/^PPid:\s*(\d+)/m.exec(read(String(browser), 'status'))?.[1]);
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe(realpathSync(process.execPath));
    return pid;
  }

  async function nothingLeft(): Promise<void> {
    await expect.poll(() => processes('chromium'), { timeout: 20_000 }).toEqual([]);
    await expect.poll(() => hostSettings(lab.namespaces.client), { timeout: 20_000 }).toEqual(before);
  }

  it('goes on when the host of its extension and the relay are killed, in either order', async () => {
    await connected();
    kill('native-host');
    await reaches();
    await connected();
    await relay.stop('SIGKILL');
    kill('native-host');
    relay = await startLabRelay(lab, folder);
    await reaches();
    await connected();
  });

  it('ends with its gateway however that ends, and the host is as it was at the next start', async () => {
    await connected();
    kill('native-host');
    process.kill(gatewayPid(), 'SIGKILL');
    await expect.poll(() => processes('chromium'), { timeout: 20_000 }).toEqual([]);
    const next = await startManypath(
      ['up', '--json', '--listen', '127.0.0.1:0', '--state', join(folder, 'next')],
      command => lab.spawn('client', command),
    );
    await next.stop();
    await nothingLeft();
  });

  it('that is killed itself takes its gateway with it, which puts the host back', async () => {
    const gateway = gatewayPid();
    await relay.stop('SIGKILL');
    kill('chromium', '--remote-debugging-pipe');
    await nothingLeft();
    await expect.poll(() => existsSync(`/proc/${gateway}`)).toBe(false);
    // What was visited stands nowhere in the state folder.
    for (const entry of readdirSync(join(folder, 'state'), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      expect(readFileSync(join(entry.parentPath, entry.name), 'latin1')).not.toContain(lab.addresses.origin);
    }
  });
});

function read(pid: string, file: 'cmdline' | 'environ' | 'status'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
