import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab, Role } from '@manypath/lab';
import { cpuSecondsBelow } from './cpu-time.ts';
import type { LoadPrograms } from './load-programs.ts';
import { startRelay, startUp } from './manypath-in-lab.ts';
import { debianPackage, findTool } from './tools.ts';

/** One way from the client of a lab to its origin. */
export interface Way {
  readonly name: string;
  /** Which of the others it is compared with; `undefined`: it is one of those. */
  readonly peer?: string;
  /** How a program of the client takes it. */
  readonly dialect: 'direct' | 'connect' | 'socks5';
  readonly port: number;
  /** The programs on the way, on the client and on the relay. */
  readonly processes: readonly ChildProcess[];
}

/** What {@link Load.run} tells; see `bench/load/load.c`. */
export interface LoadReport {
  readonly count: number;
  readonly failed: number;
  readonly seconds: number;
  /** Median and 95th of a hundred, in milliseconds; 0 when it was not asked for. */
  readonly firstByteMs: number;
  readonly firstByte95Ms: number;
  /** What failed first, in words. */
  readonly failure: string;
}

/** Ports on the client, by program. */
const ports = { straight: 8119, relayed: 8118, microsocks: 1080, shadowsocks: 1081, origin: 8080 } as const;
const shadowsocksPort = 8388;
/** The cheaper of the two that everybody has, on processors with AES. */
const cipher = 'aes-256-gcm';
const startMs = 10_000;

export const names = {
  direct: 'direct',
  microsocks: 'microsocks under mptcpize',
  straight: 'manypath up, straight',
  shadowsocks: 'shadowsocks-libev under mptcpize',
  relayed: 'manypath up and relay',
} as const;

/** Ways to the origin with this machine's programs; those of peers that are not installed are left out, and it is said. */
export async function startWays(lab: Lab, state: string, programs: LoadPrograms): Promise<Way[]> {
  await startListening(lab, 'origin', [programs.origin, String(ports.origin)], ports.origin);
  const { process: relay, pairing } = await startRelay(lab, join(state, 'relay'));
  const relayed = await startUp(lab, { state: join(state, 'up'), port: ports.relayed, pairing });
  const straight = await startUp(lab, { state: join(state, 'straight'), port: ports.straight });
  const both = (name: string, peer: string, port: number, processes: readonly ChildProcess[]): Way[] => [
    { name: `${name}, CONNECT`, peer, dialect: 'connect', port, processes },
    { name: `${name}, SOCKS5`, peer, dialect: 'socks5', port, processes },
  ];
  return [
    { name: names.direct, dialect: 'direct', port: ports.origin, processes: [] },
    ...(await microsocks(lab)),
    ...both(names.straight, names.microsocks, ports.straight, [straight]),
    ...(await shadowsocks(lab)),
    ...both(names.relayed, names.shadowsocks, ports.relayed, [relayed, relay]),
  ];
}

/** The paths that Manypath has set up serve the peers too: they have the best of all settings. */
async function microsocks(lab: Lab): Promise<Way[]> {
  if (isMissing(names.microsocks, ['microsocks', 'mptcpize'])) return [];
  const port = ports.microsocks;
  const argv = ['mptcpize', 'run', 'microsocks', '-i', '127.0.0.1', '-p', String(port)];
  const program = await startListening(lab, 'client', argv, port);
  return [{ name: names.microsocks, dialect: 'socks5', port, processes: [program] }];
}

async function shadowsocks(lab: Lab): Promise<Way[]> {
  if (isMissing(names.shadowsocks, ['ss-server', 'ss-local', 'mptcpize'])) return [];
  const port = ports.shadowsocks;
  const common = ['-p', String(shadowsocksPort), '-k', 'a secret of this run', '-m', cipher, '-t', '600'];
  const serverArgv = ['mptcpize', 'run', 'ss-server', '-s', '0.0.0.0', ...common];
  const server = await startListening(lab, 'relay', serverArgv, shadowsocksPort);
  const place = ['-s', lab.addresses.relay, '-b', '127.0.0.1', '-l', String(port)];
  const local = await startListening(
    lab,
    'client',
    ['mptcpize', 'run', 'ss-local', ...place, ...common],
    port,
  );
  return [{ name: names.shadowsocks, dialect: 'socks5', port, processes: [local, server] }];
}

function isMissing(name: string, tools: readonly string[]): boolean {
  const missing = tools.filter(tool => findTool(tool) === undefined).map(debianPackage);
  if (missing.length === 0) return false;
  const list = [...new Set(missing)].join(' and ');
  process.stderr.write(`${name} is left out: install ${list} from Debian\n`);
  return true;
}

/** Starts a program of a host of the lab, and waits until it listens on a port. */
async function startListening(
  lab: Lab,
  role: Role,
  argv: readonly string[],
  port: number,
): Promise<ChildProcess> {
  // Some write a line for every connection: what they say goes nowhere, so that reading it costs nothing.
  const program = lab.spawn(role, argv, { stdio: 'ignore' });
  const deadline = Date.now() + startMs;
  while (!(await listens(lab, role, port))) {
    if (program.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${argv.join(' ')} does not listen on port ${port}`);
    }
    await sleep(50);
  }
  return program;
}

async function listens(lab: Lab, role: Role, port: number): Promise<boolean> {
  const filter = ['-H', '-l', '-t', '-n', 'sport', '=', `:${port}`];
  return (await lab.exec(role, ['ss', ...filter])).stdout.trim() !== '';
}

/** What the programs on a way have used so far, in seconds of CPU. */
export function cpuOf({ processes }: Way): number {
  return processes.reduce((sum, { pid }) => sum + (pid === undefined ? 0 : cpuSecondsBelow(pid)), 0);
}

/** Where the load program runs. */
interface Place {
  readonly lab: Lab;
  readonly programs: LoadPrograms;
}

/** A run of the load program over one way. */
export class Load {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param words The mode, and what belongs to it. */
  constructor({ lab, programs }: Place, way: Way, [mode = '', ...words]: readonly string[]) {
    const { origin } = lab.addresses;
    const host = way.dialect === 'direct' ? origin : '127.0.0.1';
    const place = [way.dialect, host, String(way.port), origin, String(ports.origin)];
    this.#child = lab.spawn('client', [programs.load, mode, ...place, ...words], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('the load program has no standard output');
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** What it has done. Waits until that is over. */
  async report(): Promise<LoadReport> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the load program ended');
    return JSON.parse(value) as LoadReport;
  }

  /** Makes it use again what it holds. */
  again(): void {
    this.#child.stdin?.write('\n');
  }

  /** Lets go what it holds, and waits until it has ended. */
  async end(): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await ended;
  }
}

/** Runs the load program over a way to its end. */
export async function runLoad(place: Place, way: Way, words: readonly string[]): Promise<LoadReport> {
  const load = new Load(place, way, words);
  const report = await load.report();
  await load.end();
  return report;
}
