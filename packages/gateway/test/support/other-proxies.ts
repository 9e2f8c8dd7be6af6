import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Authority } from '@manypath/core';
import { closedPort } from './origins.ts';

const required = new Set((process.env.MANYPATH_REQUIRE ?? '').split(','));

/** Why these proxies cannot be asked; `undefined` when they can, or when CI wants that to fail rather than be skipped. */
export function whyNoOtherProxies(): string | undefined {
  if (required.has('lab')) return undefined;
  const missing = ['squid', 'tinyproxy'].filter(program => spawnSync(program, ['-v']).error !== undefined);
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not installed`;
}

/** A proxy of somebody else's on loopback, with settings of its own. */
export class OtherProxy implements Authority {
  readonly host = '127.0.0.1';
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, folder: string, program: ChildProcess) {
    this.port = port;
    this.#folder = folder;
    this.#process = program;
  }

  static squid(): Promise<OtherProxy> {
    return OtherProxy.#start((port, folder) => ({
      settings: [
        `http_port 127.0.0.1:${port}`,
        'http_access allow all',
        'cache deny all',
        'via off',
        'forwarded_for delete',
        'visible_hostname test',
        'pinger_enable off',
        'netdb_filename none',
        'access_log none',
        'shutdown_lifetime 0 seconds',
        `cache_log ${folder}/log`,
        `pid_filename ${folder}/pid`,
        `coredump_dir ${folder}`,
      ],
      command: ['squid', '-N', '-f', `${folder}/settings`],
    }));
  }

  static tinyproxy(): Promise<OtherProxy> {
    return OtherProxy.#start((port, folder) => ({
      settings: [
        `Port ${port}`,
        'Listen 127.0.0.1',
        'Allow 127.0.0.1',
        'Timeout 10',
        'MaxClients 100',
        'DisableViaHeader Yes',
        `LogFile "${folder}/log"`,
        `PidFile "${folder}/pid"`,
      ],
      command: ['tinyproxy', '-d', '-c', `${folder}/settings`],
    }));
  }

  static async #start(
    make: (port: number, folder: string) => { settings: string[]; command: string[] },
  ): Promise<OtherProxy> {
    const folder = mkdtempSync(join(tmpdir(), 'manypath-gateway-'));
    // As root, squid goes on as a user of its own.
    chmodSync(folder, 0o777);
    const port = await closedPort();
    const { settings, command } = make(port, folder);
    writeFileSync(join(folder, 'settings'), `${settings.join('\n')}\n`);
    const [program = '', ...parameters] = command;
    const proxy = new OtherProxy(port, folder, spawn(program, parameters, { stdio: 'ignore' }));
    await proxy.#listens();
    return proxy;
  }

  async #listens(): Promise<void> {
    const isUp = () =>
      new Promise<boolean>(resolve => {
        const socket = connect(this.port, this.host);
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
        socket.once('connect', () => socket.destroy());
      });
    while (!(await isUp())) {
      if (this.#process.exitCode !== null) throw new Error(`${this.#process.spawnfile} has ended`);
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }

  async close(): Promise<void> {
    const ended = new Promise(resolve => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    if (this.#process.exitCode === null && this.#process.signalCode === null) await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
