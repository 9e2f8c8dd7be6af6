import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Gateway } from '@manypath/gateway';
import { startRelay } from '@manypath/relay';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './support/manypath.ts';
import { whyNoBrowser } from './support/requirements.ts';

const reason = whyNoBrowser();
const ok = 'HTTP/1.1 200 OK\r\n';

/** What a sloppy origin answers, by path. */
const answers: Record<string, string> = {
  '/page': `${ok}Content-Type: text/html\r\nContent-Length: 14\r\n\r\n<title>p</title`,
  '/lf': `${ok.trim()}\nContent-Length: 5\n\nhello`,
  '/same-length': `${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  '/length-and-chunks': `${ok}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  '/folded': `${ok}X-A: a\r\n b\r\nContent-Length: 5\r\n\r\nhello`,
  '/colon': `${ok}Content-Length : 5\r\n\r\nhello`,
  '/control': `${ok}X-A: a\x01b\r\nContent-Length: 5\r\n\r\nhello`,
  '/identity': `${ok}Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello`,
  '/idle': `${ok}Content-Length: 5\r\n\r\nhello`,
};

describe.skipIf(reason)(`sites on plain HTTP${reason ? ` (skipped: ${reason})` : ''}`, () => {
  const state = [temporaryFolder(), temporaryFolder()];
  const undo: (() => unknown)[] = [];
  let browser: Browser;
  let port: number;

  beforeAll(async () => {
    const server = createServer(socket => serve(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    undo.push(() => server.close());
    browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    });
    undo.push(() => browser.close());
  });
  afterAll(async () => {
    for (const one of undo.reverse()) await one();
    for (const folder of state) folder[Symbol.dispose]();
  });

  /** Answers at once, whatever is still to come of a request; closes the connection half a second behind `/idle`. */
  function serve(socket: Socket): void {
    socket.on('error', () => {});
    socket.on('data', bytes => {
      const path = /^(?:GET|POST) (\/\S*) HTTP/.exec(bytes.toString('latin1'))?.[1];
      if (path === undefined) return;
      const upload = 'HTTP/1.1 405 No\r\nContent-Length: 4\r\n\r\nstop';
      socket.write(Buffer.from(path === '/upload' ? upload : (answers[path] ?? ''), 'latin1'));
      if (path === '/idle') setTimeout(() => socket.end(), 500);
    });
  }

  /** A page of the origin, behind a gateway with or without a relay. */
  async function openPage(withRelay: boolean): Promise<Page> {
    const [stateDir = '', relayState = ''] = state.map(folder => folder.path);
    const lookup = async () => [{ address: '127.0.0.1', family: 4 }];
    const relay = withRelay
      ? await startRelay({
          listen: { host: '127.0.0.1', port: 0 },
          stateDir: relayState,
          allowPrivate: true,
          lookup,
        })
      : undefined;
    if (relay !== undefined) undo.push(() => relay.close());
    const gateway = await Gateway.start({
      listen: { host: '127.0.0.1', port: 0 },
      stateDir,
      ...(relay === undefined ? {} : { relay: relay.pairing }),
    });
    undo.push(() => gateway.close());
    const context = await browser.newContext({
      proxy: { server: `http://127.0.0.1:${gateway.proxy.port}`, bypass: '<-loopback>' },
    });
    undo.push(() => context.close());
    const page = await context.newPage();
    const host = withRelay ? 'site.example' : '127.0.0.1';
    await page.goto(`http://${host}:${port}/page`);
    return page;
  }

  for (const withRelay of [false, true]) {
    it(`open ${withRelay ? 'through the relay' : 'straight'} as without a proxy`, async () => {
      const page = await openPage(withRelay);
      const fetched = (path: string) => page.evaluate(async place => (await fetch(place)).text(), path);
      for (const path of Object.keys(answers).slice(1)) expect(await fetched(path), path).toBe('hello');
      // The origin has closed the connection of the request before.
      for (let round = 0; round < 3; round++) {
        await page.evaluate(() => new Promise(resolve => setTimeout(resolve, 1000)));
        expect(await fetched('/idle')).toBe('hello');
      }
      const upload = page.evaluate(async () => {
        const body = new Uint8Array(20_000_000);
        const response = await fetch('/upload', { method: 'POST', body });
        return `${response.status} ${await response.text()}`;
      });
      expect(await upload).toBe('405 stop');
      await gatewayStops();
    });
  }

  async function gatewayStops(): Promise<void> {
    for (const one of undo.splice(2).reverse()) await one();
  }
});
