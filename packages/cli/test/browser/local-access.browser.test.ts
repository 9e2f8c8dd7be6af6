import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LaunchOptions, launch, makeCertificate } from './support/browser-under-test.ts';
import { HostNamespace } from './support/host-namespace.ts';
import { missingFor } from './support/requirements.ts';

const missing = missingFor('browser', ['chromium', 'ip', 'nft', 'unshare', 'setpriv', 'openssl']);

/** Which requests of a page arrived at a server of this machine or network. */
interface Arrived {
  fetch: boolean;
  noCors: boolean;
  socket: boolean;
}

const none: Arrived = { fetch: false, noCors: false, socket: false };
const all: Arrived = { fetch: true, noCors: true, socket: true };

/** Servers of this machine and its LAN, under every name a page can call them by. */
const localServers = [
  'http://127.0.0.1:8004/',
  'http://localhost:8004/',
  'http://localhost:8006/',
  'http://app.localhost:8004/',
  'http://[::1]:8006/',
  'http://0.0.0.0:8004/',
  'http://[::ffff:127.0.0.1]:8004/',
  'http://127.9.9.9:8004/',
  'http://10.77.1.2:8010/',
  'http://10.77.1.1:8011/',
];
const localNames = [
  'http://printer.lan:8010/',
  'http://nas:8010/',
  'http://device.corp.test:8010/',
  // Of the hosts file.
  'http://myapp.test:8004/',
];
/** A private address behind a router: no business of the LAN, and to be reached all the same. */
const behindRouter = 'http://10.99.0.1:8012/';
const rebinding = ['http://rebind.test:8004/', 'http://rebind-lan.test:8010/'];

describe.skipIf(missing !== undefined)(`localhost and the LAN${missing ? ` (${missing})` : ''}`, () => {
  let host: HostNamespace;
  const browsers: Browser[] = [];
  beforeAll(async () => {
    host = new HostNamespace();
    makeCertificate(host.folder);
    await host.start('./origin-server.mjs', [
      host.folder,
      'http://127.0.0.1:8004',
      'http://127.9.9.9:8004',
      'http://[::1]:8006',
      'http://10.77.1.1:8011',
    ]);
    await host.start(
      './origin-server.mjs',
      [
        host.folder,
        'http://10.77.1.2:8010',
        'http://10.99.0.1:8012',
        'https://203.0.113.5:443',
        'http://203.0.113.5:80',
      ],
      'device',
    );
  });
  afterAll(async () => {
    await Promise.all(browsers.map(browser => browser.close()));
    host?.destroy();
  });

  const open = async (
    through: LaunchOptions['through'],
    url: string,
    permissions: string[] = [],
  ): Promise<Page> => {
    const browser = await launch({ host, through });
    browsers.push(browser);
    const context = await browser.newContext({ ignoreHTTPSErrors: true, permissions });
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };

  let sequence = 0;
  const outcomes = async (page: Page, urls: readonly string[]): Promise<Record<string, Arrived>> => {
    sequence += 1;
    const token = sequence;
    // Together: a page whose sockets fail has to wait longer and longer for the next one.
    await Promise.all(urls.map((url, index) => page.evaluate(`tryAll('${url}', '${token}-${index}')`)));
    const servers = ['http://127.0.0.1:8004/seen', 'http://10.77.1.2:8010/seen'];
    const seen = new Set(servers.flatMap(server => JSON.parse(host.get(server)) as string[]));
    const arrived = (index: number, way: keyof Arrived) => seen.has(`?${token}-${index}-${way}`);
    return Object.fromEntries(
      urls.map((url, index) => [
        url,
        {
          fetch: arrived(index, 'fetch'),
          noCors: arrived(index, 'noCors'),
          socket: arrived(index, 'socket'),
        },
      ]),
    );
  };

  /** What arrives from a page in our browser, and what from the same page in an ordinary one. */
  const compare = (
    through: LaunchOptions['through'],
    url: string,
    targets: readonly string[],
    permissions: string[] = [],
  ) => {
    const inOne = async (way: LaunchOptions['through']) =>
      outcomes(await open(way, url, permissions), targets);
    return Promise.all([inOne(through), inOne('ordinary')]);
  };

  it('open in a tab as in any browser', async () => {
    const page = await open('quiet namespace', 'about:blank');
    for (const url of [...localServers, ...localNames, behindRouter, 'http://vpn.example.test:8012/']) {
      const response = await page.goto(url);
      expect([url, response?.status()]).toEqual([url, 200]);
    }
  });

  for (const through of ['quiet namespace', 'no isolation'] as const) {
    it(`gives a public page no more than an ordinary browser does, which is nothing (${through})`, async () => {
      const targets = [
        ...localServers,
        ...localNames,
        ...rebinding,
        ...(through === 'quiet namespace' ? [behindRouter] : []),
      ];
      for (const url of ['https://public.test/', 'https://public.test/public', 'http://public.test/']) {
        const [ours, ordinary] = await compare(through, url, targets);
        expect(ours).toEqual(ordinary);
        for (const [to, outcome] of Object.entries(ours)) expect([url, to, outcome]).toEqual([url, to, none]);
      }
    });
  }

  it('is open to a public page that the user allowed it to, as in an ordinary browser', async () => {
    const allowed = ['local-network-access'];
    const [ours, ordinary] = await compare('quiet namespace', 'https://public.test/', localServers, allowed);
    expect(ours).toEqual(ordinary);
    expect(ours['http://127.0.0.1:8004/']).toEqual(all);
  });
});
