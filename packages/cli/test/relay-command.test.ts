import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
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

/** A tunnel through the relay to a server that keeps it open. */
async function openTunnel({ pairing }: RunningRelay): Promise<TLSSocket> {
  const origin = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void origin.close());
  await once(origin, 'listening');
  const target = `127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const socket = tlsConnect({ ...pairing.address, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const credentials = Buffer.from(`${pairing.user}:${pairing.secret}`).toString('base64');
  socket.write(
    `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
  );
  expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1.1 200 /);
  return socket;
}

/** Has a relay begin to end. @returns What it says of that. */
async function drain({ child }: RunningRelay): Promise<unknown> {
  const said = once(child.stdout as Readable, 'data');
  child.kill('SIGTERM');
  return JSON.parse(String((await said)[0]));
}

it('lets connections go on for as long as it was told, and ends when the last one has ended', async () => {
  const relay = await startRelay(commandFolder(), '--drain', '600');
  const socket = await openTunnel(relay);
  expect(await drain(relay)).toEqual({ event: 'draining', tunnels: 1, seconds: 600 });
  const ended = once(relay.child, 'exit');
  socket.destroy();
  expect(await ended).toEqual([0, null]);
});

it('ends at once when it is told a second time', async () => {
  const relay = await startRelay(commandFolder(), '--drain', '600');
  await openTunnel(relay);
  await drain(relay);
  relay.child.kill('SIGTERM');
  expect(await once(relay.child, 'exit')).toEqual([130, null]);
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
