import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CommandFolder, main } from '../support/command.ts';

const secret = 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I';
const pairing = `manypath://${secret}@127.0.0.1:9`;

function commandFolder(): CommandFolder {
  const folder = new CommandFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  return folder;
}

/** Runs `manypath pair` with something on its standard input. */
function pairWith(folder: CommandFolder, input: string, ...parameters: string[]) {
  return spawnSync(process.execPath, [main, 'pair', ...parameters], {
    input,
    encoding: 'utf8',
    env: folder.env,
  });
}

/** A gateway, and what it told when it was ready. */
async function startUp(folder: CommandFolder, env: NodeJS.ProcessEnv, ...parameters: string[]) {
  const child = spawn(process.execPath, [main, 'up', '--json', '--listen', '127.0.0.1:0', ...parameters], {
    env: { ...folder.env, ...env },
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text;
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, ready: JSON.parse(line), log: () => log };
}

/** The command lines of all processes of this machine. */
function commandLines(): string {
  const processes = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return processes
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })
    .join('\n');
}

describe('manypath pair', () => {
  it('keeps what comes by standard input, shows it without its secret, and forgets it', () => {
    const folder = commandFolder();
    const kept = pairWith(folder, `${pairing}\n`, '-', '--json');
    expect(kept).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(kept.stdout)).toEqual({ event: 'paired', relay: '127.0.0.1:9' });
    const file = join(folder.path, 'manypath', 'pairing');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder.path, 'manypath')).mode & 0o777).toBe(0o700);
    const shown = folder.run('pair', '--show');
    expect(shown.stdout).toBe('Paired with 127.0.0.1:9.\n');
    expect(JSON.parse(folder.run('pair', '--show', '--json').stdout)).toEqual({
      event: 'paired',
      relay: '127.0.0.1:9',
    });
    expect(JSON.parse(folder.run('pair', '--forget', '--json').stdout)).toEqual({
      event: 'forgotten',
      relay: '127.0.0.1:9',
    });
    expect(existsSync(file)).toBe(false);
    for (const what of ['--show', '--forget']) {
      expect(folder.run('pair', what)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('MANYPATH_PAIRING_MISSING'),
      });
    }
  });

  it('takes an argument, and what is pasted without one', () => {
    const folder = commandFolder();
    expect(folder.run('pair', pairing).stdout).toContain('Paired with 127.0.0.1:9.');
    expect(pairWith(folder, `  manypath pair '${pairing.replace(':9', ':10')}'\n`).stdout).toContain(':10.');
  });

  it('refuses what is no pairing, two wishes at once, and never repeats a secret', () => {
    const folder = commandFolder();
    for (const result of [
      folder.run('pair', `manypath://${secret}@`),
      folder.run('pair', '--show', '--forget'),
      pairWith(folder, `manypath://${secret}@[::1\n`, '-'),
      pairWith(folder, secret, '-'),
    ]) {
      expect(result.status).toBe(1);
      expect(result.stderr).not.toContain(secret);
    }
    expect(existsSync(join(folder.path, 'manypath', 'pairing'))).toBe(false);
  });

  it('says when something else goes before what it keeps', () => {
    const folder = commandFolder();
    mkdirSync(join(folder.path, 'manypath'), { mode: 0o700 });
    writeFileSync(folder.config, JSON.stringify({ relay: pairing }));
    expect(folder.run('pair', pairing).stderr).toContain('goes before this pairing');
  });
});

describe('manypath up', () => {
  it('uses the relay that is kept, and takes another one at once', async () => {
    const folder = commandFolder();
    folder.run('pair', pairing);
    const { ready } = await startUp(folder, {});
    expect(ready.relay).toMatchObject({ address: '127.0.0.1:9' });
    const relayNow = () => JSON.parse(folder.run('status', '--json').stdout).relay?.address;
    folder.run('pair', pairing.replace(':9', ':10'));
    await expect.poll(relayNow, { timeout: 10_000 }).toBe('127.0.0.1:10');
    folder.run('pair', '--forget');
    await expect.poll(relayNow, { timeout: 10_000 }).toBeUndefined();
  });

  it('goes without one when told to', async () => {
    const folder = commandFolder();
    folder.run('pair', pairing);
    expect((await startUp(folder, {}, '--no-relay')).ready.relay).toBeNull();
  });

  for (const [how, options, env] of [
    ['on the command line', ['--relay', pairing], {}],
    ['joined to its option', [`--relay=${pairing}`], {}],
    ['in the environment', [], { MANYPATH_RELAY: pairing }],
  ] as const) {
    it(`shows nobody the secret that is given ${how}`, async () => {
      const folder = commandFolder();
      const { child, ready, log } = await startUp(folder, env, ...options, '--log-level', 'debug');
      expect(ready.relay).toMatchObject({ address: '127.0.0.1:9' });
      expect(readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).not.toContain(secret);
      expect(log()).not.toContain(secret);
      expect(log().split('better `manypath pair`').length - 1).toBe(options.length > 0 ? 1 : 0);
    });
  }
});

it('gives the browser no secret, neither by its parameters nor by its environment', () => {
  const folder = commandFolder();
  const browser = join(folder.path, 'browser');
  const seen = join(folder.path, 'seen');
  writeFileSync(browser, `#!/bin/sh\n{ env; echo "$@"; cat /proc/*/cmdline; } > '${seen}' 2>/dev/null\n`);
  chmodSync(browser, 0o755);
  const parameters = ['browse', '--headless', '--no-isolate', '--browser', browser];
  spawnSync(process.execPath, [main, ...parameters], { env: { ...folder.env, MANYPATH_RELAY: pairing } });
  expect(readFileSync(seen, 'latin1')).toContain('proxy-server');
  expect(readFileSync(seen, 'latin1')).not.toContain(secret);
  spawnSync(process.execPath, [main, ...parameters, '--relay', pairing], { env: folder.env });
  expect(readFileSync(seen, 'latin1').split('proxy-server').length).toBeGreaterThan(1);
  const lines = readFileSync(seen, 'latin1')
    .split('\n')
    .filter(line => line.includes(secret));
  expect(lines).toEqual([]);
  expect(commandLines()).not.toContain(secret);
});
