import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { removeFolder } from '../../../../test/support/remove-folder.ts';
import { BrowseProcess, until } from './support/browse-process.ts';
import { quietFlags } from './support/browser-under-test.ts';
import { missingFor } from './support/requirements.ts';

const missing = missingFor('browser', ['chromium', 'ip', 'nft', 'unshare', 'setpriv', 'curl']);

describe.skipIf(missing !== undefined)(
  `a browser driven over a port${missing ? ` (${missing})` : ''}`,
  () => {
    let state: string;
    const started: BrowseProcess[] = [];

    beforeAll(() => {
      state = mkdtempSync(join(tmpdir(), 'mpbr-'));
    });
    afterEach(async () => {
      for (const browse of started.splice(0)) await browse.end();
    });
    afterAll(() => removeFolder(state));

    const start = (...flags: string[]) => {
      const options = ['--json', '--headless', '--state', state, 'about:blank', '--'];
      const browse = new BrowseProcess([...options, ...quietFlags, ...flags]);
      started.push(browse);
      return browse;
    };

    /** Where the browser says that it listens. */
    const told = async (browse: BrowseProcess) =>
      new URL((await until(() => /^DevTools listening on (\S+)$/m.exec(browse.errors)))[1] ?? '');

    /** A port that was free a moment ago. */
    async function freePort(): Promise<number> {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise(resolve => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      await new Promise(resolve => server.close(resolve));
      return port;
    }

    it('is isolated and driven on the port that was asked for, from before it listens', async () => {
      const port = await freePort();
      const browse = start(`--remote-debugging-port=${port}`);
      const { isolated } = await browse.ready();
      expect(isolated).toBe(true);
      const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
      const [context] = browser.contexts();
      const page = await context?.newPage();
      await page?.setContent('<title>driven</title>');
      expect(await page?.title()).toBe('driven');
      await browser.close();
    });

    it('tells the port that was chosen, on standard error and in its profile', async () => {
      const browse = start('--remote-debugging-port=0');
      const { profile } = await browse.ready();
      const url = await told(browse);
      const [port, path] = (
        await until(() => {
          try {
            return readFileSync(join(profile.folder, 'DevToolsActivePort'), 'utf8');
          } catch {
            return undefined;
          }
        })
      ).split('\n');
      expect([port, path]).toEqual([url.port, url.pathname]);
      const browser = await chromium.connectOverCDP(url.href);
      expect(browser.isConnected()).toBe(true);
      await browser.close();
    });

    it('takes orders of its own user only', async () => {
      const browse = start('--remote-debugging-port=0');
      const { port } = await told(browse);
      const ask = (...as: string[]) => {
        const command = [
          ...as,
          'curl',
          '--silent',
          '--max-time',
          '5',
          `http://127.0.0.1:${port}/json/version`,
        ];
        return spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8' });
      };
      expect(ask().stdout).toContain('webSocketDebuggerUrl');
      const other = ask('setpriv', '--reuid', '65534', '--clear-groups');
      expect(other.stdout).toBe('');
      expect(other.status).not.toBe(0);
    });

    it('can be reached by another loopback address, and by none of a network', async () => {
      const port = await freePort();
      const browse = start(`--remote-debugging-port=${port}`, '--remote-debugging-address=127.0.0.2');
      await browse.ready();
      for (const host of ['127.0.0.1', '127.0.0.2'])
        expect((await fetch(`http://${host}:${port}/json/version`)).status).toBe(200);
      const open = start('--remote-debugging-port=0', '--remote-debugging-address=0.0.0.0');
      const url = await told(open);
      expect(open.errors).toContain('only this machine');
      const listeners = spawnSync('ss', ['-Hltn', `sport = :${url.port}`], { encoding: 'utf8' }).stdout;
      expect(listeners).toContain(`127.0.0.1:${url.port}`);
      expect(listeners).not.toContain(`0.0.0.0:${url.port}`);
    });

    it('is not started when somebody else has the port, which is said', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await new Promise(resolve => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const browse = start(`--remote-debugging-port=${port}`);
      expect(await browse.exit).toEqual([1, null]);
      expect(browse.errors).toContain(`cannot be driven on 127.0.0.1 port ${port}`);
      server.close();
    });

    it('says nothing about the desktop that is not there', async () => {
      const browse = start('--remote-debugging-port=0');
      await told(browse);
      expect(browse.errors).not.toContain('dbus');
      expect(browse.errors.split('\n').filter(line => line !== '' && !line.startsWith('manypath: '))).toEqual(
        [expect.stringMatching(/^DevTools listening on /)],
      );
    });
  },
);
