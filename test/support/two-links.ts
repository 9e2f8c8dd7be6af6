import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab, type LinkOptions } from '@manypath/lab';
import { type RunningManypath, startManypath, temporaryFolder } from './manypath.ts';
import { startLabRelay } from './relay.ts';

/** How the lab of a test is made; whatever is not said is as most tests have it. */
export interface TwoLinksOptions {
  /** Default: `a` and `b`, 20 Mbit/s and 5 ms each. */
  readonly links?: LinkOptions[];
  /** What the relay's pairing calls it. Default: its IPv4 address. */
  readonly relayName?: string;
}

/** How a gateway is started. */
export interface GatewayOptions {
  /** Whether it uses the relay. Default true. */
  readonly relay?: boolean;
  /** Its configuration. Default: none. */
  readonly config?: object;
  /** What stands before its command. */
  readonly before?: readonly string[];
}

/** A laptop with two links, a relay and an origin, for all tests of a file. */
export class TwoLinks implements AsyncDisposable {
  readonly lab: Lab;
  readonly relay: RunningManypath;
  readonly #folder: ReturnType<typeof temporaryFolder>;

  private constructor(lab: Lab, relay: RunningManypath, folder: ReturnType<typeof temporaryFolder>) {
    this.lab = lab;
    this.relay = relay;
    this.#folder = folder;
  }

  static async create({
    links = ['a', 'b'].map(name => ({ name, rateMbit: 20, delayMs: 5 })),
    relayName,
  }: TwoLinksOptions = {}): Promise<TwoLinks> {
    const folder = temporaryFolder();
    const lab = await Lab.create({ links });
    await lab.startOrigin('origin');
    const relay = await startLabRelay(lab, folder.path, { name: relayName });
    return new TwoLinks(lab, relay, folder);
  }

  /** Starts a gateway on the laptop. */
  async startGateway({ relay = true, config, before = [] }: GatewayOptions = {}): Promise<LabGateway> {
    const state = temporaryFolder();
    const flags = ['--listen', '127.0.0.1:0', '--state', state.path];
    if (relay) flags.push('--relay', String(this.relay.ready.pairing));
    if (config !== undefined) {
      const file = join(state.path, 'config.json');
      writeFileSync(file, JSON.stringify(config));
      flags.push('--config', file);
    }
    const up = await startManypath(['up', '--json', ...flags], command =>
      this.lab.spawn('client', [...before, ...command]),
    );
    return new LabGateway(this.lab, up, await ControlClient.connect(state.path), state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.relay.stop();
    await this.lab.destroy();
    this.#folder[Symbol.dispose]();
  }
}

/** A download, as curl tells of it. */
export interface Download {
  /** How much of it came, in bytes. */
  readonly size: number;
  readonly milliseconds: number;
}

/** A gateway on the laptop of a lab, and what a user does through it. */
export class LabGateway implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #up: RunningManypath;
  readonly #client: ControlClient;
  readonly #state: Disposable;

  constructor(lab: Lab, up: RunningManypath, client: ControlClient, state: Disposable) {
    this.#lab = lab;
    this.#up = up;
    this.#client = client;
    this.#state = state;
  }

  /** The port of its proxy. */
  get port(): number {
    return (this.#up.ready.proxy as { port: number }).port;
  }

  /** Its process. */
  get pid(): number {
    return this.#up.child.pid ?? 0;
  }

  /** What it wrote to stderr so far. */
  log(): string {
    return this.#up.log();
  }

  status(): Promise<StatusDocument> {
    return this.#client.status();
  }

  /** What status says of a path. */
  async path(name: string): Promise<StatusDocument['paths'][number] | undefined> {
    return (await this.status()).paths.find(path => path.name === name);
  }

  /** Waits until status says what is wanted. */
  async until(condition: (status: StatusDocument) => boolean): Promise<void> {
    while (!condition(await this.status())) await sleep(50);
  }

  /** Waits until the rate of every path is known. */
  untilMeasured(): Promise<void> {
    return this.until(({ paths }) => paths.every(({ downMbps }) => downMbps !== null));
  }

  /** Downloads from a host, by default the origin, by CONNECT. A download that ends early is no failure. */
  async download(bytes: number, host = this.#lab.addresses.origin): Promise<Download> {
    const written = ['--write-out', '%{size_download} %{time_total}'];
    const said = await this.#curl([...written, `http://${host}/bytes/${bytes}`]);
    const [size = 0, seconds = Number.NaN] = said.split(' ').map(Number);
    return { size, milliseconds: seconds * 1000 };
  }

  /** Uploads to a host. @returns The status of the answer; 0 where there was none. */
  async upload(bytes: number, host: string): Promise<number> {
    const body = ['--header', 'Expect:', '--data-binary', '@-', '--write-out', '%{http_code}'];
    return Number(await this.#curl([...body, `http://${host}/upload`], 'x'.repeat(bytes)));
  }

  async #curl(parameters: readonly string[], input = ''): Promise<string> {
    const proxy = ['--proxy', `http://127.0.0.1:${this.port}`, '--proxytunnel', '--max-time', '60'];
    const command = ['curl', '--silent', ...proxy, '--output', '/dev/null', ...parameters];
    const limits = { timeoutMs: 70_000, allowFailure: true };
    return (await this.#lab.exec('client', command, { input, ...limits })).stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
    await this.#up.stop();
    this.#state[Symbol.dispose]();
  }
}
