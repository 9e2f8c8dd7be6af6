import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { defaultChoice } from '../packages/extension/src/choice.ts';
import { planProxy } from '../packages/extension/src/proxy-plan.ts';
import { localSpellings } from '../packages/extension/test/support/local-spellings.ts';
import { whyNoBrowser } from './support/requirements.ts';

const reason = whyNoBrowser();

describe.skipIf(reason)(
  `the extension's proxy script in Chromium${reason ? ` (skipped: ${reason})` : ''}`,
  () => {
    let browser: Browser;
    /** Stands where the gateway would be. */
    const proxy = createServer(socket => {
      socket.on('error', () => {});
      socket.once('data', bytes => {
        asked.push(String(bytes).split('\r\n', 1)[0] ?? '');
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok');
      });
    });
    const asked: string[] = [];

    beforeAll(async () => {
      proxy.listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      const address = { host: '127.0.0.1', port: (proxy.address() as AddressInfo).port };
      const plan = planProxy({ ...defaultChoice, multipath: true, whenGone: 'closed' }, address, 1);
      const script = Buffer.from(plan.kind === 'script' ? plan.script : '').toString('base64');
      browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        // What the browser keeps off proxies by itself is to be kept off by the script as well.
        args: [
          ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
          `--proxy-pac-url=data:application/x-ns-proxy-autoconfig;base64,${script}`,
          '--proxy-bypass-list=<-loopback>',
        ],
      });
    });
    afterAll(async () => {
      await browser?.close();
      proxy.close();
    });

    it('has it connect by itself to this machine and its link, however a page writes them', async () => {
      const page = await browser.newPage();
      await page.goto('http://public.example/');
      expect(asked.splice(0)).toContain('GET http://public.example/ HTTP/1.1');
      for (const host of localSpellings) {
        // Nobody listens there: what counts is who is asked.
        await page.goto(`http://${host}:39/`, { timeout: 2000 }).catch(() => {});
      }
      expect(asked.filter(line => line.includes(':39'))).toEqual([]);
      await page.goto('http://8.8.8.8:39/').catch(() => {});
      expect(asked).toContain('GET http://8.8.8.8:39/ HTTP/1.1');
    });
  },
);
