import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const why = whyNoLab() ?? whyNoBrowser();

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

/** The command line as npm installs it from its one tarball, without a network and with a home of its own. */
describe.skipIf(why !== undefined)(
  `manypath, installed by npm${why === undefined ? '' : ` (${why})`}`,
  () => {
    const temporary = temporaryFolder();
    const home = join(temporary.path, 'home');
    const command = join(temporary.path, 'prefix', 'bin', 'manypath');
    // Its first line starts whatever Node is found first.
    const environment = { HOME: home, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };

    beforeAll(() => {
      mkdirSync(home);
      const script = `
      import { packCommandLine } from ${JSON.stringify(join(root, 'packaging/tarballs.mjs'))};
      console.log(await packCommandLine(${JSON.stringify(temporary.path)}));`;
      const tarball = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        encoding: 'utf8',
      });
      const place = ['--prefix', join(temporary.path, 'prefix'), '--cache', join(temporary.path, 'cache')];
      execFileSync('npm', ['install', '--global', '--offline', ...place, tarball.trim()], {
        env: environment,
      });
    });
    afterAll(() => temporary[Symbol.dispose]());

    const start = (words: readonly string[]) =>
      spawn(command, words.slice(2), { stdio: ['ignore', 'pipe', 'pipe'], env: environment });

    it('shows the demo', () => {
      const { stdout, stderr, status } = spawnSync(command, ['demo', '--megabytes', '12'], {
        encoding: 'utf8',
        env: environment,
      });
      expect({ status, stderr }).toMatchObject({ status: 0 });
      expect(stdout).toContain('every byte right');
    });

    it('serves the example page with all that belongs to it', async () => {
      const anywhere = ['--listen', '127.0.0.1:0', '--page', '127.0.0.1:0'];
      const site = await startManypath(['serve-echo', '--json', ...anywhere], start);
      const { port } = site.ready.page as { port: number };
      for (const path of ['/', '/example.js', '/example.css', '/manypath-page.js']) {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        expect([path, response.status, (await response.text()).length > 100]).toEqual([path, 200, true]);
      }
      await site.stop();
    });

    it('opens a browser with its extension', async () => {
      const browser = await startManypath(
        ['browse', '--json', '--headless', '--profile', 'installed'],
        start,
      );
      const profiles = readdirSync(home, { recursive: true, encoding: 'utf8' });
      expect(profiles.some(path => path.endsWith('NativeMessagingHosts/org.manypath.host.json'))).toBe(true);
      const commandLines = execFileSync('ps', ['-ww', '-eo', 'args'], { encoding: 'utf8' });
      expect(commandLines).toContain(join('manypath', 'node_modules', '@manypath', 'extension', 'dist'));
      await browser.stop();
    });

    it('names the folder of the extension to load', () => {
      const { stdout } = spawnSync(command, ['install', '--dry-run', '--browser', 'chromium'], {
        encoding: 'utf8',
        env: environment,
      });
      expect(stdout).toContain('node_modules/@manypath/extension/dist');
      expect(stdout).not.toContain('not built');
    });
  },
);
