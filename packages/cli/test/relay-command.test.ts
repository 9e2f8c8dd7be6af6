import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { type Pairing, parsePairing } from '@manypath/core';
import { expect, it, onTestFinished } from 'vitest';
import { CommandFolder, main } from './support/command.ts';

function commandFolder(): CommandFolder {
  const folder = new CommandFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  return folder;
}

interface RunningRelay {
  readonly child: ChildProcess;
  readonly pairing: Pairing;
  log(): string;
}

async function startRelay(folder: CommandFolder, ...parameters: string[]): Promise<RunningRelay> {
  const place = ['--listen', '127.0.0.1:0', '--allow-private'];
  const child = spawn(process.execPath, [main, 'relay', '--json', ...place, ...parameters], {
    env: folder.env,
  });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text;
  });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, pairing: parsePairing(JSON.parse(line).pairing), log: () => log };
}

async function answers({ pairing }: RunningRelay): Promise<boolean> {
  const socket = connect(pairing.address);
  const answered = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answered;
}

it('goes on when the terminal hangs up and nobody reads what it writes, and ends with SIGTERM', async () => {
  const relay = await startRelay(commandFolder(), '--log-level', 'debug');
  relay.child.kill('SIGHUP');
  relay.child.stdout?.destroy();
  relay.child.stderr?.destroy();
  // Each of these is written to the log.
  for (let time = 0; time < 20; time++) {
    const socket = connect(relay.pairing.address);
    socket.on('error', () => {}).end('no TLS at all\n');
    // Whether with a reset or without; once() would fail at one.
    await new Promise(resolve => socket.once('close', resolve));
  }
  expect(await answers(relay)).toBe(true);
  relay.child.kill('SIGTERM');
  expect(await once(relay.child, 'exit')).toEqual([0, null]);
});

it('refuses a certificate without its key, and a key without its certificate', () => {
  const folder = commandFolder();
  for (const option of ['--cert', '--key']) {
    const { status, stderr } = folder.run('relay', option, '/dev/null');
    expect(status).toBe(1);
    expect(stderr).toContain('--cert and --key go together');
  }
});

it('says what to do with the pairing, and hints at --public where its address is no public one', async () => {
  const folder = commandFolder();
  const child = spawn(process.execPath, [main, 'relay', '--listen', '127.0.0.1:0'], { env: folder.env });
  onTestFinished(async () => {
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
  let said = '';
  let warned = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', text => {
    warned += text;
  });
  await expect.poll(() => said, { timeout: 10_000 }).toContain('manypath://');
  expect(said).toMatch(/manypath pair\n/);
  expect(said).not.toContain('--relay');
  await expect.poll(() => warned, { timeout: 10_000 }).toContain('--public');
});

it('hints at nothing when it was told how it is reached', async () => {
  const relay = await startRelay(commandFolder(), '--public', '10.0.0.7');
  expect(relay.pairing.address.host).toBe('10.0.0.7');
  expect(relay.log()).not.toContain('--public');
});
