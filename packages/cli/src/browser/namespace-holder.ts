/**
 * The first process in the quiet namespace: furnishes it, listens, passes what it listens on to its parent
 * over Node IPC, and ends as soon as the parent lets go. Run as a program of its own, see quiet-namespace.ts.
 */
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { HolderMessage, HolderOrder } from './holder-messages.ts';
import { linkCommands, natRules, quietAddress, quietLink } from './namespace-plan.ts';

process.once('disconnect', () => process.exit(0));
process.once('message', order => {
  furnish(order as HolderOrder).catch(error => tell({ kind: 'failed', reason: messageOf(error) }));
});

async function furnish(order: HolderOrder): Promise<void> {
  switchOffIpv6();
  run('ip', ['-batch', '-'], linkCommands(order.nameServers6));
  await linkIsRunning();

  const proxy = await listen(quietAddress, order.proxyPort);
  const straight = await listen(quietAddress, order.straightPort);
  const redirected4 = await listen('127.0.0.1', 0);
  const redirected6 = await unlessUnavailable(listen('::1', 0));
  const names4 = await bind('127.0.0.1');
  const names6 = await unlessUnavailable(bind('::1'));
  let localFailure: string | undefined;
  try {
    const rules = natRules({
      redirected4: portOf(redirected4),
      redirected6: redirected6 && portOf(redirected6),
      names4: names4.address().port,
      names6: names6?.address().port,
    });
    run('nft', ['-f', '-'], rules);
  } catch (error) {
    localFailure = messageOf(error);
  }

  await tell({ kind: 'listening', role: 'proxy' }, proxy);
  await tell({ kind: 'listening', role: 'straight' }, straight);
  if (localFailure === undefined) {
    await tell({ kind: 'listening', role: 'redirected' }, redirected4);
    if (redirected6 !== undefined) await tell({ kind: 'listening', role: 'redirected' }, redirected6);
    await tell({ kind: 'bound' }, names4);
    if (names6 !== undefined) await tell({ kind: 'bound' }, names6);
  }
  await tell({ kind: 'ready', ...(localFailure === undefined ? {} : { localFailure }) });
}

/** For interfaces made from now on; loopback keeps its ::1. Without IPv6 in the kernel there is no such file. */
function switchOffIpv6(): void {
  try {
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The link reports that it runs a moment after it is up; Chromium would take that for a change. */
async function linkIsRunning(): Promise<void> {
  while (networkInterfaces()[quietLink] === undefined) await delay(5);
}

function run(program: string, parameters: string[], input: string): void {
  const path = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:/usr/bin:/bin`;
  const env = { ...process.env, PATH: path, LC_ALL: 'C' };
  const { status, stderr, error } = spawnSync(program, parameters, { input, env, encoding: 'utf8' });
  // One that ends before it has read its input says why, which is worth more than the broken pipe.
  if (status !== 0 && stderr) throw new Error(`${program}: ${firstLine(stderr)}`);
  if (error !== undefined) throw new Error(missingOr(program, error));
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
}

function missingOr(program: string, error: Error): string {
  const packages: Record<string, string> = { ip: 'iproute2', nft: 'nftables' };
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error.message;
  return `${program} is not installed (sudo apt-get install ${packages[program] ?? program})`;
}

async function listen(host: string, port: number): Promise<Server> {
  const server = createServer().listen({ host, port, backlog: 511 });
  await once(server, 'listening');
  return server;
}

async function bind(address: string): Promise<Socket> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

/** Loopback without ::1 (IPv6 off in the kernel) is no failure. */
async function unlessUnavailable<T>(attempt: Promise<T>): Promise<T | undefined> {
  try {
    return await attempt;
  } catch {
    return undefined;
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return address.port;
}

function tell(message: HolderMessage, handle?: Server | Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    if (process.send === undefined) return reject(new Error('no IPC channel'));
    process.send(message, handle, {}, error => (error === null ? resolve() : reject(error)));
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
