import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { manypathArguments, startManypath, temporaryFolder } from './support/manypath.ts';

function manypath(...parameters: string[]) {
  const [node = '', main = ''] = manypathArguments;
  return spawnSync(node, [main, ...parameters], { encoding: 'utf8', timeout: 60_000 });
}

const commands = (manypath('--help').stdout.match(/^ {2}[a-z-]+(?= {2,})/gm) ?? [])
  .map(line => line.trim())
  .filter(name => name !== 'help');

describe('the command line', () => {
  it('teaches every command, within 80 columns, also where sudo has to be told the way', {
    timeout: 90_000,
  }, async () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'manypath'), '');
    const env = { ...process.env, PATH: `${folder.path}:/usr/bin:/bin` };
    expect(commands.length).toBeGreaterThan(12);
    for (const names of [[], ...commands.map(name => [name])]) {
      const [node = '', ...main] = manypathArguments;
      const help = await promisify(execFile)(node, [...main, ...names, '--help'], { env });
      expect(help.stdout).toContain(`Usage: ${['manypath', ...names].join(' ')}`);
      expect(help.stdout.split('\n').filter(line => line.length > 80)).toEqual([]);
    }
  });

  it('says what was wrong with a call, and where the help is', () => {
    const { status, stderr } = manypath('up', '--lisen', 'x');
    expect(status).not.toBe(0);
    expect(stderr).toContain("unknown option '--lisen' [MANYPATH_USAGE]");
    expect(stderr).toContain('(Did you mean --listen?)');
    expect(stderr).toContain('try: manypath up --help');
    expect(manypath('lab', 'shape').stderr).toContain('try: manypath lab shape --help');
  });

  it('ends when it cannot do all of what it was called for', () => {
    const call = manypath('serve-echo', '--listen', '127.0.0.1:0', '--page', '203.0.113.9:1');
    expect(call.stderr).toContain('[MANYPATH_GATEWAY_LISTEN_FAILED]');
    expect(call.status).toBe(1);
  });

  it('takes no file away that has the name of its socket', () => {
    using state = temporaryFolder();
    const file = join(state.path, 'control.sock');
    writeFileSync(file, 'mine');
    const call = manypath('up', '--listen', '127.0.0.1:0', '--state', state.path);
    expect(call.stderr).toContain('[MANYPATH_CONTROL_SOCKET]');
    expect(call.status).toBe(1);
    expect(readFileSync(file, 'utf8')).toBe('mine');
  });

  it('refuses options that would have no effect, and values that cannot be', () => {
    for (const call of [
      ['install', '--user', 'root', '--dry-run'],
      ['install', '--helper', '--system', '--dry-run'],
      ['install', '--helper', '--browser', 'chrome', '--dry-run'],
      ['install', '--helper', '--no-service', '--dry-run'],
      ['uninstall', '--helper', '--system', '--dry-run'],
      ['up', '--paths', ',,'],
      ['browse', '--paths', 'a/b'],
      ['demo', '--megabytes', '1e99'],
      ['lab', 'shape', 'a', '--rate', '-3'],
    ]) {
      const { status, stderr } = manypath(...call);
      expect(status).toBe(1);
      expect(stderr).toContain('[MANYPATH_USAGE]');
    }
  });

  it('says nothing of Multipath TCP of a server that it does not reach', () => {
    const check = manypath('check', '127.0.0.1:1', '--json');
    expect(JSON.parse(check.stdout)).toMatchObject({ mptcp: null, paths: [{ mptcp: null, address: null }] });
    expect(check.status).toBe(69);
  });

  it('explains a state folder that cannot be, and does not wait for it', () => {
    for (const folder of ['/proc/nope', '/etc/hostname', '/etc/hostname/below']) {
      const { status, stderr } = manypath('up', '--state', folder);
      expect(status).toBe(1);
      expect(stderr).toContain('[MANYPATH_STATE_FOLDER]');
      expect(stderr).toContain('try: name a folder of your own with --state DIR');
    }
  });

  it('explains a pairing URL that cannot be read, with its code', () => {
    using state = temporaryFolder();
    const { status, stderr } = manypath('up', '--relay', 'nonsense', '--state', state.path);
    expect(status).toBe(1);
    expect(stderr).toContain('[MANYPATH_PAIRING_INVALID]');
    expect(stderr).toContain('try: copy the whole line');
  });

  it('explains that no gateway runs when one is asked for its status', () => {
    using state = temporaryFolder();
    const { status, stderr } = manypath('status', '--state', state.path);
    expect(status).toBe(1);
    expect(stderr).toContain('[MANYPATH_GATEWAY_NOT_RUNNING]');
  });
});

describe('manypath up', () => {
  it('prints where its proxy is, answers status, and ends cleanly on SIGTERM', async () => {
    using state = temporaryFolder();
    const gateway = await startManypath(['up', '--json', '--listen', '127.0.0.1:0', '--state', state.path]);
    expect(gateway.ready).toMatchObject({ event: 'ready', proxy: { host: '127.0.0.1' }, relay: null });
    const status = manypath('status', '--json', '--state', state.path);
    expect(JSON.parse(status.stdout)).toMatchObject({
      connections: [],
      relay: null,
      totals: { connections: 0 },
    });
    expect(manypath('status', '--state', state.path).stdout).toContain('No connection is open.');
    expect(await gateway.stop('SIGTERM')).toBe(0);
    expect(readdirSync(state.path)).toEqual([]);
  });

  it('refuses to run twice with one state folder, and takes over from a killed one', async () => {
    using state = temporaryFolder();
    const parameters = ['up', '--json', '--listen', '127.0.0.1:0', '--state', state.path];
    const first = await startManypath(parameters);
    expect(manypath(...parameters).stderr).toContain('[MANYPATH_GATEWAY_RUNNING]');
    await first.stop('SIGKILL');
    const second = await startManypath(parameters);
    expect(await second.stop('SIGINT')).toBe(0);
  });
});

describe('manypath relay', () => {
  it('has the same pairing after a restart', async () => {
    using state = temporaryFolder();
    const parameters = ['relay', '--json', '--listen', '127.0.0.1:0', '--state', state.path];
    const pairing = async (): Promise<string> => {
      const relay = await startManypath([...parameters, '--public', 'relay.example.org:8443']);
      expect(await relay.stop('SIGTERM')).toBe(0);
      return String(relay.ready.pairing);
    };
    const first = await pairing();
    expect(first).toMatch(/^manypath:\/\/[\w-]{22,}@relay\.example\.org:8443\?pin=[\w-]{43}$/);
    expect(await pairing()).toBe(first);
  });
});
