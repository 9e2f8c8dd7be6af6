import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { browse } from '../../src/browser/browse.ts';
import {
  BrowseProcess,
  fakeBrowser,
  namespaceOf,
  nothingLeft,
  openFiles,
  processes,
  statusOf,
} from './support/browse-process.ts';
import { missingFor } from './support/requirements.ts';

const missing = missingFor('lab', ['ip', 'nft', 'unshare', 'setpriv']);

describe.skipIf(missing !== undefined)(`browse as a process${missing ? ` (${missing})` : ''}`, () => {
  let state: string;
  beforeAll(() => {
    state = mkdtempSync(join(tmpdir(), 'mpbr-'));
  });
  afterAll(() => rmSync(state, { recursive: true, force: true }));

  const started: BrowseProcess[] = [];
  afterEach(async () => {
    for (const browse of started.splice(0)) await browse.end();
  });

  const run = (parameters: readonly string[], env: NodeJS.ProcessEnv, pipes = false) => {
    const browse = new BrowseProcess(['--browser', fakeBrowser, '--state', state, ...parameters], {
      env,
      pipes,
    });
    started.push(browse);
    return browse;
  };
  const start = (behaviour: string, parameters: readonly string[] = [], pipes = false) =>
    run(parameters, { FAKE_BROWSER: behaviour }, pipes);

  it('ends with the exit code of the browser', async () => {
    const browse = start('exit-7');
    expect(await browse.exit).toEqual([7, null]);
    await nothingLeft(await browse.said('namespace'), profileIn(await browse.said('arguments')));
  });

  it('tells what a browser said that failed, and keeps quiet about one that ended well', async () => {
    const words = 'no display at all';
    const failing = run([], { FAKE_BROWSER: 'exit-7', FAKE_ERRORS: words });
    await failing.exit;
    expect(failing.errors).toContain(`the browser ended with 7, and said:\n  ${words}\n`);
    const well = run([], { FAKE_BROWSER: 'exit', FAKE_ERRORS: words });
    expect(await well.exit).toEqual([0, null]);
    expect(well.errors).not.toContain(words);
  });

  it('ends with 128 + the signal when the browser died of one', async () => {
    expect(await start('die').exit).toEqual([137, null]);
  });

  it('puts the browser into a namespace of its own, as its direct child, with no descriptor of ours', async () => {
    const browse = start('graceful');
    const pid = Number(await browse.said('pid'));
    expect(await browse.said('namespace')).not.toBe(namespaceOf('self'));
    const ours = openFiles(browse.child.pid ?? 0).filter(file => /^(socket|anon_inode):/.test(file));
    expect(openFiles(pid).filter(file => ours.includes(file))).toEqual([]);
    expect(statusOf(pid, 'PPid')).toBe(String(browse.child.pid));
    browse.child.kill('SIGTERM');
    await browse.exit;
  });

  it('hands on descriptors 3 and 4 when the browser is driven by a pipe', async () => {
    const browse = start('echo-pipe', ['--', '--remote-debugging-pipe'], true);
    const [, , , input, output] = browse.child.stdio;
    (input as NodeJS.WritableStream).write('a command\n');
    const [answer] = await new Promise<Buffer[]>(resolve => output?.once('data', data => resolve([data])));
    expect(String(answer)).toBe('got a command\n');
    expect(await browse.exit).toEqual([0, null]);
  });

  it('refuses a debugging pipe that nobody opened', async () => {
    const browse = start('graceful', ['--', '--remote-debugging-pipe']);
    expect(await browse.exit).toEqual([1, null]);
    expect(browse.errors).toContain('needs a driver that passes open descriptors 3 and 4');
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`passes ${signal} on and ends with what the browser makes of it`, async () => {
      const browse = start('graceful');
      await browse.said('pid');
      browse.child.kill(signal);
      expect(await browse.exit).toEqual([0, null]);
      await nothingLeft(await browse.said('namespace'), profileIn(await browse.said('arguments')));
    });
  }

  it('leaves nothing behind when it is killed', async () => {
    const browse = start('graceful');
    await browse.said('pid');
    browse.child.kill('SIGKILL');
    await browse.exit;
    await nothingLeft(await browse.said('namespace'), profileIn(await browse.said('arguments')));
  });

  it('kills a browser that does not end when asked', async () => {
    const browse = start('deaf', ['--shutdown-ms', '300']);
    await browse.said('pid');
    browse.child.kill('SIGTERM');
    expect(await browse.exit).toEqual([137, null]);
    await nothingLeft(await browse.said('namespace'), profileIn(await browse.said('arguments')));
    expect(existsSync(await browse.said('socket'))).toBe(false);
  });

  it('sees a browser off that does not end after we were killed', async () => {
    const browse = start('deaf', ['--shutdown-ms', '300']);
    const pid = Number(await browse.said('pid'));
    browse.child.kill('SIGKILL');
    await nothingLeft(await browse.said('namespace'), profileIn(await browse.said('arguments')));
    expect(processes()).not.toContain(pid);
    expect(existsSync(await browse.said('socket'))).toBe(false);
  });

  it('says in one event what it set up, and keeps the rest off stdout, with --json', async () => {
    const browse = start('exit-7', ['--json', 'https://example.org/']);
    await browse.exit;
    const events = browse.output
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(events).toMatchObject([
      {
        event: 'ready',
        proxy: { host: '127.0.0.1', port: expect.any(Number) },
        isolated: true,
        reason: null,
        local: true,
        browser: { name: 'fake-browser.sh', path: fakeBrowser },
        profile: { temporary: true },
      },
      { event: 'exit', code: 7 },
    ]);
    expect(await browse.said('arguments')).toMatch(/ https:\/\/example\.org\/$/);
  });

  it('does not start the browser when it is told to end before that', async () => {
    const said: string[] = [];
    const nothing = () => {};
    const code = await browse({
      gateway: {
        proxy: { host: '127.0.0.1', port: 1 },
        straightProxy: { host: '127.0.0.1', port: 2 },
        serve: nothing,
        serveStraight: nothing,
        serveRedirected: nothing,
        reachedBy: nothing,
        admits: () => false,
      },
      stateDir: state,
      browser: fakeBrowser,
      logger: {
        debug: nothing,
        info: (_, message) => said.push(message),
        warn: (_, message) => said.push(message),
      },
      signal: AbortSignal.abort(),
    });
    expect({ code, said }).toEqual({ code: 143, said: [] });
  });

  it('keeps a profile that has a name', async () => {
    const first = start('exit-7', ['--profile', 'work']);
    await first.exit;
    const folder = profileIn(await first.said('arguments'));
    expect(folder).toBe(join(state, 'profiles', 'work'));
    const second = start('exit-7', ['--profile', 'work']);
    await second.exit;
    expect(profileIn(await second.said('arguments'))).toBe(folder);
  });

  it('goes on without isolation where no namespace can be had, and says what is lost', async () => {
    const browse = startWith('unshare', 'unshare failed: Operation not permitted');
    expect(await browse.ready()).toMatchObject({
      isolated: false,
      reason: 'unshare failed: Operation not permitted',
    });
    expect(await browse.said('namespace')).toBe(namespaceOf('self'));
    expect(browse.errors).toContain('breaks off HTTP/2 downloads');
    browse.child.kill('SIGTERM');
    expect(await browse.exit).toEqual([0, null]);
  });

  it('isolates also where nft fails, and says that localhost is out of reach', async () => {
    const browse = startWith('nft', 'Error: Could not process rule: Operation not supported');
    expect(await browse.ready()).toMatchObject({
      isolated: true,
      local: false,
      localReason: 'nft: Error: Could not process rule: Operation not supported',
    });
    expect(browse.errors).toContain('localhost and local networks cannot be reached');
    browse.child.kill('SIGTERM');
    expect(await browse.exit).toEqual([0, null]);
  });

  /** With a system program that refuses its service. */
  function startWith(program: string, complaint: string): BrowseProcess {
    const folder = mkdtempSync(join(state, 'path-'));
    writeFileSync(join(folder, program), `#!/bin/sh\necho '${complaint}' >&2\nexit 1\n`, { mode: 0o755 });
    return run(['--json'], { FAKE_BROWSER: 'graceful', PATH: `${folder}:${process.env.PATH}` });
  }
});

function profileIn(words: string): string {
  return /--user-data-dir=(\S+)/.exec(words)?.[1] ?? '';
}
