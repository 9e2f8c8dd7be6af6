import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { manypathArguments, temporaryFolder } from './support/manypath.ts';
import { whyNoBrowser, whyNoLab } from './support/requirements.ts';

const reason = whyNoLab() ?? whyNoBrowser();
const run = promisify(execFile);

describe.skipIf(reason)(`manypath demo${reason ? ` (skipped: ${reason})` : ''}`, () => {
  it('downloads over one link and over both, survives the loss of a link, and leaves nothing behind', async () => {
    const [node = '', main = ''] = manypathArguments;
    // With a /run of its own, so that what other labs leave there meanwhile is not taken for its.
    const script = 'mount -t tmpfs none /run && "$@" && ls -A /run/netns /run/manypath/labs >&2';
    const demo = [node, main, 'demo', '--json', '--megabytes', '12'];
    const { stdout, stderr } = await run('unshare', ['--mount', 'sh', '-c', script, 'sh', ...demo]);
    const events = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    const runs = events.filter(({ event }) => event === 'run');
    expect(runs.map(({ name }) => name)).toEqual(['one-link', 'both-links', 'address-lost', 'silently-dead']);
    for (const { exact, bytes, protocol } of runs) {
      expect({ exact, bytes, protocol }).toEqual({ exact: true, bytes: 12_000_000, protocol: 'h2' });
    }
    const result = events.at(-1);
    expect(result).toMatchObject({ event: 'result', survivedCut: true });
    expect(result?.combinedMbps).toBeGreaterThan(Number(result?.singleMbps));
    expect(stderr.split('\n').slice(-4)).toEqual(['/run/manypath/labs:', '', '/run/netns:', '']);
  });

  it.each(['building', 'opening a real Chromium', 'one link'])(
    'leaves nothing behind when it is interrupted at "%s"',
    async moment => {
      using temporary = temporaryFolder();
      const [node = '', main = ''] = manypathArguments;
      const demo = spawn(node, [main, 'demo', '--megabytes', '200'], {
        // A process group of its own, as in a terminal.
        detached: true,
        env: { ...process.env, TMPDIR: temporary.path },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const ended = once(demo, 'exit');
      let said = '';
      await new Promise<void>(resolve => {
        for (const output of [demo.stdout, demo.stderr]) {
          output.setEncoding('utf8').on('data', (text: string) => {
            said += text;
            if (said.includes(moment)) resolve();
          });
        }
      });
      process.kill(-(demo.pid ?? 0), 'SIGINT');
      expect((await ended)[0]).toBe(130);
      expect(readdirSync(temporary.path)).toEqual([]);
    },
  );
});
