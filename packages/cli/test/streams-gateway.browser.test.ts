import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StreamGrant } from '@manypath/core';
import { Gateway } from '@manypath/gateway';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeFolder } from '../../../test/support/remove-folder.ts';
import { findBrowser } from '../src/browser/find-browser.ts';
import { writeNativeHost } from '../src/install/index.ts';
import { extensionFolder } from '../src/own-files.ts';
import { missingFor } from './browser/support/requirements.ts';

declare const manypath: typeof import('@manypath/page');

const missing = missingFor('browser', ['chromium']);
const pageModule = new URL('../../page/dist/manypath-page.js', import.meta.url);

/** Sites that restrict what their pages may embed and run. */
const headers: Readonly<Record<string, Record<string, string>>> = {
  '/plain': {},
  '/policy': { 'content-security-policy': "default-src 'none'; script-src 'self'" },
  '/isolated': {
    'cross-origin-embedder-policy': 'require-corp',
    'cross-origin-opener-policy': 'same-origin',
  },
  '/credentialless': {
    'cross-origin-embedder-policy': 'credentialless',
    'cross-origin-opener-policy': 'same-origin',
  },
  '/embedder': { 'cross-origin-embedder-policy': 'require-corp' },
  '/sandboxed': { 'content-security-policy': 'sandbox allow-scripts' },
};

describe.skipIf(missing !== undefined)(`streams by a gateway${missing ? ` (${missing})` : ''}`, () => {
  let folder: string;
  let gateway: Gateway | undefined;
  let site: Server;
  let echo: TcpServer;
  let context: BrowserContext;
  let grants: StreamGrant[] = [];

  const portOf = (server: Server | TcpServer) => (server.address() as AddressInfo).port;
  const origin = () => `http://127.0.0.1:${portOf(site)}`;
  const otherOrigin = () => `http://localhost:${portOf(site)}`;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-streams-gateway-'));
    site = createServer((request, response) => {
      const path = request.url ?? '';
      if (path === '/module.js') {
        const code = readFileSync(pageModule, 'utf8');
        response.setHeader('access-control-allow-origin', '*');
        response.setHeader('content-type', 'text/javascript');
        response.end(code);
        return;
      }
      if (path === '/start.js') {
        response.setHeader('content-type', 'text/javascript');
        response.setHeader('access-control-allow-origin', '*');
        response.end("import * as manypath from '/module.js'; window.manypath = manypath;");
        return;
      }
      response.writeHead(200, { 'content-type': 'text/html', ...headers[path] });
      response.end(
        '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/start.js"></script>',
      );
    });
    echo = createTcpServer({ allowHalfOpen: true }, socket => {
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    await new Promise<void>(resolve => site.listen(0, '127.0.0.1', resolve));
    await new Promise<void>(resolve => echo.listen(0, '0.0.0.0', resolve));
    grants = [
      { origin: origin(), host: '127.0.0.1', port: portOf(echo), local: true },
      { origin: origin(), host: 'rebound.example', port: portOf(echo) },
      { origin: origin(), host: 'home.example', port: portOf(echo), local: true },
    ];
    gateway = await startGateway();
    const profile = join(folder, 'profile');
    writeNativeHost(profile, join(folder, 'state'));
    context = await chromium.launchPersistentContext(profile, {
      executablePath: findBrowser({ chosen: undefined }).path,
      headless: false,
      ignoreDefaultArgs: ['--disable-extensions'],
      args: [
        '--headless=new',
        ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
        `--load-extension=${extensionFolder().folder}`,
      ],
    });
    if (context.serviceWorkers().length === 0) await context.waitForEvent('serviceworker');
  });

  afterAll(async () => {
    await context?.close();
    await gateway?.close();
    site?.close();
    echo?.close();
    removeFolder(folder);
  });

  /** Every name leads to this computer, as a name does whose owner means ill. */
  const startGateway = (port = 0) =>
    Gateway.start({
      stateDir: join(folder, 'state'),
      listen: { host: '127.0.0.1', port },
      programs: {
        crash: { command: ['/bin/sh', '-c', 'kill -SEGV $$'], origins: [origin()] },
        words: { command: ['/bin/sh', '-c', 'echo words; exit 7'], origins: [origin()] },
        sleeper: { command: ['/bin/sh', '-c', 'echo $$; sleep 1000 & wait'], origins: [origin()] },
        nothing: { command: ['/nowhere/at-all'], origins: [origin()] },
      },
      localNames: ['*.test'],
      lookup: async () => [{ address: '127.0.0.2', family: 4 }],
      housekeeping: {
        settings: () => ({ file: '', config: { streams: { allow: grants } }, relay: null, isolation: null }),
        configure: () => {
          throw new Error('not here');
        },
        doctor: async () => [],
      },
    });

  async function open(path: string): Promise<Page> {
    const page = await context.newPage();
    await page.goto(`${origin()}${path}`);
    await page.waitForFunction(() => 'manypath' in window);
    return page;
  }

  /** Sends a word and gives what comes back, or how that failed. */
  const say = (page: Page, host = '127.0.0.1', options: { local?: boolean } = {}): Promise<string> =>
    page.evaluate(
      async ({ host, port, options }) => {
        try {
          const { readable, writable } = await new manypath.TCPSocket(host, port, options).opened;
          await new Blob(['hello']).stream().pipeTo(writable);
          return await new Response(readable).text();
        } catch (error) {
          return `${(error as DOMException).name}: ${(error as DOMException).message}`;
        }
      },
      { host, port: portOf(echo), options },
    );

  /** Opens a stream and waits for its end. */
  const waitForEnd = async (page: Page): Promise<{ ended: Promise<string> }> => {
    await page.evaluate(async port => {
      const { readable } = await new manypath.TCPSocket('127.0.0.1', port).opened;
      const end = readable
        .getReader()
        .read()
        .then(
          () => 'read',
          (error: DOMException) => error.name,
        );
      Object.assign(window, { end });
    }, portOf(echo));
    return { ended: page.evaluate(() => (window as unknown as { end: Promise<string> }).end) };
  };

  it.each(['/plain', '/policy', '/isolated', '/credentialless', '/embedder'])(
    'work on a page like %s',
    async path => {
      const page = await open(path);
      expect(await say(page)).toBe('hello');
      await page.close();
    },
  );

  it('are refused with a reason on a page that has no origin', async () => {
    const page = await open('/sandboxed');
    expect(await say(page)).toMatch(/^NotSupportedError: .*sandboxed/);
    await page.close();
  });

  it('do not lead to this computer by a name that seems public, unless the user allowed just that', async () => {
    const page = await open('/plain');
    expect(await say(page, 'rebound.example')).toMatch(/^NotAllowedError: .*127\.0\.0\.2/);
    expect(await say(page, 'home.example')).toBe('hello');
    await page.close();
  });

  it.each(['/plain', '/isolated'])(
    'end with an error when the worker of the extension ends, and the next one works, on a page like %s',
    async path => {
      const page = await open(path);
      const { ended } = await waitForEnd(page);
      const session = await context.newCDPSession(page);
      await session.send('ServiceWorker.enable');
      await session.send('ServiceWorker.stopAllWorkers');
      expect(await ended).toBe('NetworkError');
      expect(await say(page)).toBe('hello');
      await page.close();
    },
  );

  it('end with an error when the gateway ends, and work again when it is back', async () => {
    const page = await open('/plain');
    const { ended } = await waitForEnd(page);
    const port = gateway?.proxy.port ?? 0;
    await gateway?.close();
    expect(await ended).toBe('NetworkError');
    expect(await say(page)).toMatch(/^NetworkError: /);
    gateway = await startGateway(port);
    expect(await say(page)).toBe('hello');
    await page.close();
  });

  it('tell how a program ended although the page neither read nor closed anything', async () => {
    const page = await open('/plain');
    const seen = await page.evaluate(async () => {
      const ends = async (name: string) => {
        const program = manypath.connectNative(name);
        const { readable, writable } = await program.opened;
        const exit = await program.closed;
        const writing = await writable
          .getWriter()
          .write(new Uint8Array(1))
          .catch((error: DOMException) => error.name);
        return { exit, writing, text: await new Response(readable).text() };
      };
      const nothing = manypath.connectNative('nothing');
      const name = (error: DOMException) => error.name;
      return {
        crash: await ends('crash'),
        words: await ends('words'),
        nothing: [await nothing.opened.catch(name), await nothing.closed.catch(name)],
      };
    });
    const writing = 'NetworkError';
    expect(seen.crash).toEqual({ exit: { exitCode: null, signal: 'SIGSEGV' }, writing, text: '' });
    expect(seen.words).toEqual({ exit: { exitCode: 7, signal: null }, writing, text: 'words\n' });
    expect(seen.nothing).toEqual(['NetworkError', 'NetworkError']);
    await page.close();
  });

  it.each(['/plain', '/isolated'])('end a program when its page goes away, one like %s', async path => {
    const page = await open(path);
    const pid = await page.evaluate(async () => {
      const { readable } = await manypath.connectNative('sleeper').opened;
      const { value } = await readable.getReader().read();
      return Number(new TextDecoder().decode(value));
    });
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await page.close();
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
  });

  it('are not to be had by a page from the gateway itself', async () => {
    const page = await open('/plain');
    const { streams } = (gateway as Gateway).hello();
    const outcome = await page.evaluate(
      ({ host, port, path, protocol, token }) =>
        new Promise(resolve => {
          // Even with the token: a page cannot say that it is the extension.
          const socket = new WebSocket(`ws://${host}:${port}${path}`, [protocol, `token.${token}`]);
          socket.onopen = () => resolve('open');
          socket.onerror = () => resolve('refused');
        }),
      streams,
    );
    expect(outcome).toBe('refused');
    await page.close();
  });

  it('look the same where there is no extension and where the user allowed nothing', async () => {
    const outcome = async (page: Page): Promise<string> => {
      await page.goto(`${otherOrigin()}/plain`);
      await page.waitForFunction(() => 'manypath' in window);
      return page.evaluate(() =>
        manypath.connectNative('words', { consentTimeout: 1000 }).opened.then(
          () => 'ran',
          ({ name, message }: DOMException) => `${name}: ${message}`,
        ),
      );
    };
    const silence = await outcome(await context.newPage());
    const plain = await chromium.launch({
      executablePath: findBrowser({ chosen: undefined }).path,
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    });
    try {
      expect(await outcome(await plain.newPage())).toBe(silence);
      expect(silence).toMatch(/^NotAllowedError: .*no Manypath extension/);
    } finally {
      await plain.close();
    }
  });
});
