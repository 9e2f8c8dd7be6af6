import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostSettings } from './support/host-settings.ts';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { pairingOfLabRelay } from './support/relay.ts';
import { whyNoLab } from './support/requirements.ts';

/** What a request may take, whatever the disk does, in seconds. */
const soonS = 0.5;

describe.skipIf(whyNoLab())(`a state folder${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  let pairing: string;
  const folder = temporaryFolder();
  const state = join(folder.path, 'state');
  const running: RunningManypath[] = [];

  beforeAll(async () => {
    lab = await Lab.create();
    await lab.startOrigin('origin');
    pairing = await pairingOfLabRelay(lab, folder.path);
  });
  afterAll(async () => {
    await lab.destroy();
    folder[Symbol.dispose]();
  });

  // A small disk of its own.
  beforeEach(() => {
    mkdirSync(state, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'manypath-test', state]);
  });
  afterEach(async () => {
    for (const up of running.splice(0)) await up.stop('SIGKILL');
    execFileSync('umount', ['--lazy', state]);
  });

  async function start(environment: readonly string[] = []): Promise<RunningManypath> {
    const words = ['up', '--json', '--listen', '127.0.0.1:8118', '--state', state];
    const up = await startManypath(words, command =>
      lab.spawn('client', ['env', `MANYPATH_RELAY=${pairing}`, ...environment, ...command]),
    );
    running.push(up);
    // Until the relay is reached the first ones wait, whatever the disk does.
    await request();
    return up;
  }

  async function request(): Promise<{ size: string; seconds: number }> {
    const proxy = ['--proxy', 'http://127.0.0.1:8118', '--proxytunnel', '--max-time', '10'];
    const written = ['--output', '/dev/null', '--write-out', '%{size_download} %{time_total}'];
    const url = `http://${lab.addresses.origin}/bytes/20000`;
    const { stdout } = await lab.exec('client', ['curl', '--silent', ...proxy, ...written, url]);
    const [size = '', seconds] = stdout.split(' ');
    return { size, seconds: Number(seconds) };
  }

  /** Requests for some time; each has to be answered soon. */
  async function browse(milliseconds: number): Promise<void> {
    const until = performance.now() + milliseconds;
    do {
      const { size, seconds } = await request();
      expect(size).toBe('20000');
      expect(seconds).toBeLessThan(soonS);
      await sleep(100);
    } while (performance.now() < until);
  }

  /** The lines of the log that warn. */
  const warnings = (up: RunningManypath): string[] =>
    up
      .log()
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line) as { level: number; msg: string })
      .filter(({ level }) => level >= 40)
      .map(({ msg }) => msg);

  function fill(): void {
    try {
      for (let part = 0; ; part += 1) writeFileSync(join(state, `filler-${part}`), Buffer.alloc(4096));
    } catch {
      // That is what was wanted.
    }
  }

  function free(): void {
    for (const name of readdirSync(state)) if (name.startsWith('filler')) rmSync(join(state, name));
  }

  const usage = (): string => {
    try {
      return readFileSync(join(state, 'paths', 'usage.json'), 'utf8');
    } catch {
      return '';
    }
  };

  const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, state]);

  async function answers(): Promise<boolean> {
    try {
      const client = await ControlClient.connect(state);
      client.close();
      return true;
    } catch {
      return false;
    }
  }

  const writtenAgain = (before: string) =>
    expect.poll(() => usage() !== before && usage().startsWith('{'), { timeout: 40_000 }).toBe(true);

  it('that is full for a while holds nobody up, is said once, and is written to again by itself', async () => {
    const up = await start();
    await browse(500);
    await writtenAgain('');
    fill();
    await browse(5000);
    expect(warnings(up)).toEqual(['cannot write what was learned; it is kept in memory and tried again']);
    const before = usage();
    free();
    await writtenAgain(before);
    await browse(500);
    expect(warnings(up)).toHaveLength(1);
    expect(up.log()).toContain('what is learned is written down again');
    expect(await up.stop()).toBe(0);
    expect(readdirSync(join(state, 'paths')).sort()).toEqual(['estimates.json', 'usage.json']);
  });

  it('that is full, or has lock files of earlier releases, is begun with', async () => {
    mkdirSync(join(state, 'paths'), { mode: 0o700 });
    for (const name of ['paths/usage.json.lock', 'paths/estimates.json.lock', 'origins.json.lock']) {
      writeFileSync(join(state, name), '');
    }
    fill();
    await start();
    await browse(3000);
    free();
    await writtenAgain('');
    await expect.poll(answers, { timeout: 10_000 }).toBe(true);
    await browse(500);
  });

  it('that becomes read-only for a while holds nobody up', async () => {
    const up = await start();
    await browse(500);
    await writtenAgain('');
    remount('ro');
    await browse(4000);
    expect(warnings(up)).toEqual(['cannot write what was learned; it is kept in memory and tried again']);
    const before = usage();
    remount('rw');
    await writtenAgain(before);
    expect(warnings(up)).toHaveLength(1);
  });

  it('that is read-only from the start is done without, and used when it can be', async () => {
    remount('ro');
    const up = await start();
    await browse(3000);
    expect(warnings(up).sort()).toEqual([
      'cannot write what was learned; it is kept in memory and tried again',
      'no control socket: `manypath status` and the extension find nothing until there is one',
    ]);
    remount('rw');
    // What the lab runs has mounts of its own.
    const inside = ['--target', String(up.child.pid), '--mount', 'mount', '-o', 'remount,rw', state];
    execFileSync('nsenter', inside);
    await expect.poll(answers, { timeout: 10_000 }).toBe(true);
    await writtenAgain('');
    expect(warnings(up)).toHaveLength(2);
  });

  it('that is removed is made again', async () => {
    const up = await start();
    await browse(500);
    await writtenAgain('');
    for (const name of readdirSync(state)) rmSync(join(state, name), { recursive: true });
    await browse(1000);
    await writtenAgain('');
    await expect.poll(answers, { timeout: 10_000 }).toBe(true);
    expect(warnings(up)).toEqual([]);
  });

  it('with files of any content is begun with, and left as it should be', async () => {
    const before = hostSettings(lab.namespaces.client);
    const { stdout } = await lab.exec('client', ['readlink', '/proc/self/ns/net']);
    const journal = join('/run/manypath/journal', `paths-${/\d+/.exec(stdout)?.[0]}.json`);
    const files = [journal, ...['usage', 'estimates'].map(name => join(state, 'paths', `${name}.json`))];
    const contents = [
      ...['', 'null', '{"owners":null}', '{"owners":[null],"settings":7,"limits":[],"wlan0":null}'],
      '{"settings":[{"type":"rule"}],"sysctls":{"kernel/panic":"1"},"a":{"days":7}}',
    ];
    for (const content of contents) {
      mkdirSync(join(state, 'paths'), { recursive: true });
      for (const file of files) writeFileSync(file, content);
      const up = await start();
      await browse(0);
      expect(await up.stop()).toBe(0);
      running.splice(0);
      expect(hostSettings(lab.namespaces.client)).toEqual(before);
      expect(existsSync(journal)).toBe(false);
    }
  });

  it('does not suffer from a clock that jumps, nor does anybody else', async () => {
    const script = join(folder.path, 'clock.mjs');
    writeFileSync(
      script,
      `const Real = Date;
       let shift = 0;
       globalThis.Date = class extends Real {
         constructor(...given) { if (given.length === 0) super(Real.now() + shift); else super(...given); }
         static now() { return Real.now() + shift; }
       };
       process.on('SIGUSR2', () => { shift += 40 * 86400000; });
       process.on('SIGWINCH', () => { shift -= 400 * 86400000; });`,
    );
    const up = await start([`NODE_OPTIONS=--import=${script}`]);
    await browse(500);
    await writtenAgain('');
    for (const signal of ['SIGUSR2', 'SIGWINCH', 'SIGUSR2'] as const) {
      const before = usage();
      up.child.kill(signal);
      await browse(2500);
      await writtenAgain(before);
    }
    expect(warnings(up)).toEqual([]);
    expect(await up.stop()).toBe(0);
  });

  it('tells nobody which hosts were visited', async () => {
    const up = await start();
    await browse(1500);
    await writtenAgain('');
    expect(await up.stop()).toBe(0);
    const visited = lab.addresses.origin;
    for (const entry of readdirSync(state, { recursive: true, withFileTypes: true })) {
      expect(entry.name).not.toContain(visited);
      if (!entry.isFile()) continue;
      expect(readFileSync(join(entry.parentPath, entry.name), 'latin1')).not.toContain(visited);
    }
    expect(up.log()).not.toContain(visited);
  });
});
