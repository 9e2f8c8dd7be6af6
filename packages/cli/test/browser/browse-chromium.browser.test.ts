import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { removeFolder } from '../../../../test/support/remove-folder.ts';
import {
  BrowseProcess,
  commandLine,
  namespaceOf,
  nothingLeft,
  processes,
  processesIn,
  statusOf,
  until,
} from './support/browse-process.ts';
import { browsePath, launchWithProfile, quietFlags } from './support/browser-under-test.ts';
import { HostNamespace } from './support/host-namespace.ts';
import { missingFor } from './support/requirements.ts';

const nobody = 65_534;
const missing = missingFor('browser', ['chromium', 'ip', 'nft', 'unshare', 'setpriv']);

describe.skipIf(missing !== undefined)(`browse with Chromium${missing ? ` (${missing})` : ''}`, () => {
  let host: HostNamespace;
  let state: string;
  beforeAll(async () => {
    host = new HostNamespace();
    state = mkdtempSync(join(tmpdir(), 'mpbr-'));
    await host.start('./origin-server.mjs', [host.folder, 'http://127.0.0.1:8004']);
  });
  afterAll(() => {
    removeFolder(state);
    host?.destroy();
  });

  const started: BrowseProcess[] = [];
  afterEach(async () => {
    for (const browse of started.splice(0)) await browse.end();
  });
  const start = () => {
    const browse = new BrowseProcess([
      '--json',
      '--headless',
      '--state',
      state,
      'about:blank',
      '--',
      ...quietFlags,
    ]);
    started.push(browse);
    return browse;
  };

  it('ends cleanly with SIGTERM: exit code 0, no process, namespace or profile left', async () => {
    const browse = start();
    const { browser, profile } = await browse.ready();
    const namespace = await quietNamespaceOf(browser.pid, '--type=renderer');
    browse.child.kill('SIGTERM');
    expect(await browse.exit).toEqual([0, null]);
    await nothingLeft(namespace, profile.folder);
  });

  // A helper that is just starting makes the folder of the profile again, if that has gone already.
  for (const moment of ['--type=zygote', '--type=renderer']) {
    it(`leaves no process, namespace or profile when killed while ${moment} runs`, async () => {
      const browse = start();
      const { browser, profile } = await browse.ready();
      const namespace = await quietNamespaceOf(browser.pid, moment);
      browse.child.kill('SIGKILL');
      await browse.exit;
      await nothingLeft(namespace, profile.folder);
    });
  }

  it('keeps the sandbox of Chromium on for a user who is not root, without any privilege', async test => {
    const user = { uid: nobody, home: join(host.folder, 'home') };
    const profile = join(user.home, 'profile');
    for (const folder of [user.home, profile]) {
      mkdirSync(folder);
      chownSync(folder, nobody, nobody);
    }
    if (!readableForAll([process.execPath, browsePath]))
      test.skip('this checkout can be read by its owner only');
    const context = await launchWithProfile({ host, through: 'quiet namespace', user }, profile);
    try {
      const page = await context.newPage();
      const response = await page.goto('http://localhost:8004/');
      expect(response?.status()).toBe(200);

      const members = processesOf(user.uid).filter(pid => commandLine(pid).includes('--user-data-dir='));
      const [main] = members.filter(pid => !commandLine(pid).includes('--type='));
      const renderers = processesOf(user.uid).filter(pid => commandLine(pid).includes('--type=renderer'));
      expect(renderers.length).toBeGreaterThan(0);
      for (const renderer of renderers) expect(statusOf(renderer, 'Seccomp')).toBe('2');
      expect(statusOf(main ?? 0, 'CapEff')).toBe('0000000000000000');
      expect(commandLine(main ?? 0)).not.toContain('--no-sandbox');
    } finally {
      await context.close();
    }
  });
});

/** The namespace of a browser, when it has one and a process with `type` on its command line is in it. */
function quietNamespaceOf(pid: number, type: string): Promise<string> {
  return until(() => {
    const namespace = namespaceOf(pid);
    const inside = processesIn(namespace).some(member => commandLine(member).includes(type));
    return namespace !== namespaceOf('self') && inside && namespace;
  });
}

function processesOf(uid: number): number[] {
  return processes().filter(pid => statusOf(pid, 'Uid').startsWith(`${uid}\t`));
}

function readableForAll(files: readonly string[]): boolean {
  const result = spawnSync('setpriv', [
    '--reuid',
    String(nobody),
    '--clear-groups',
    'test',
    '-r',
    files[0] ?? '',
    '-a',
    '-r',
    files[1] ?? '',
  ]);
  return result.status === 0;
}
