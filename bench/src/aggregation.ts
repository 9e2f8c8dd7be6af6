import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '@manypath/lab';
import { startRelay, startUp } from './manypath-in-lab.ts';
import { saveResult } from './results.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';
import { findTool } from './tools.ts';

/** What {@link aggregation} measures. */
export interface AggregationOptions {
  /** Times every way is taken. */
  readonly rounds: number;
  /** Bytes of one download. */
  readonly bytes: number;
  /** Rates of the two links in Mbit/s. */
  readonly rates: readonly [number, number];
}

/** A way to download from an origin that does not speak MPTCP. */
interface Way {
  readonly name: string;
  /** Downloads once. @returns Goodput in Mbit/s. */
  download(bytes: number): Promise<number>;
}

const socksPort = 1080;

/**
 * Downloads over two links to an origin without MPTCP: over the first link alone, through gateway and relay, and through
 * microsocks with both ends under mptcpize, its paths set up by hand. The ways take turns.
 */
export async function aggregation({ rounds, bytes, rates }: AggregationOptions): Promise<void> {
  const [first, second] = rates;
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit: first },
      { name: 'b', rateMbit: second },
    ],
  });
  const state = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  try {
    await lab.startOrigin('origin');
    const ways = [direct(lab), await manypath(lab, state), ...(await microsocks(lab))];
    const results = new Map(ways.map(({ name }) => [name, [] as number[]]));
    for (let round = 1; round <= rounds; round++) {
      for (const way of ways) results.get(way.name)?.push(await way.download(bytes));
      process.stderr.write(`round ${round} of ${rounds}\n`);
    }
    report(results, { rounds, bytes, rates });
  } finally {
    await lab.destroy();
    rmSync(state, { recursive: true, force: true });
  }
}

function direct(lab: Lab): Way {
  return { name: 'TCP over the first link', download: bytes => curl(lab, ['curl'], bytes) };
}

async function manypath(lab: Lab, state: string): Promise<Way> {
  const { pairing } = await startRelay(lab, join(state, 'relay'));
  await startUp(lab, { state: join(state, 'up'), port: 8118, pairing });
  const proxied = ['curl', '--proxy', 'http://127.0.0.1:8118', '--proxytunnel'];
  return { name: 'manypath up and relay', download: bytes => curl(lab, proxied, bytes) };
}

/** The paths that Manypath has set up serve this peer too: it has the best of all settings. */
async function microsocks(lab: Lab): Promise<Way[]> {
  if (findTool('microsocks') === undefined || findTool('mptcpize') === undefined) {
    process.stderr.write(
      'left out: microsocks under mptcpize (install the Debian packages microsocks and mptcpize)\n',
    );
    return [];
  }
  const server = lab.spawn('relay', ['mptcpize', 'run', 'microsocks', '-p', String(socksPort)], {
    stdio: 'ignore',
  });
  await once(server, 'spawn');
  const proxied = ['mptcpize', 'run', 'curl', '--socks5-hostname', `${lab.addresses.relay}:${socksPort}`];
  return [{ name: 'mptcpize microsocks and curl', download: bytes => curl(lab, proxied, bytes) }];
}

async function curl(lab: Lab, command: readonly string[], bytes: number): Promise<number> {
  const url = `http://${lab.addresses.origin}/bytes/${bytes}`;
  const flags = [
    '--silent',
    '--show-error',
    '--fail',
    '--retry',
    '3',
    '--retry-connrefused',
    '--output',
    '/dev/null',
  ];
  const { stdout } = await lab.exec(
    'client',
    [...command, ...flags, '--write-out', '%{speed_download}', url],
    {
      timeoutMs: 300_000,
    },
  );
  return (Number(stdout) * 8) / 1e6;
}

function report(results: ReadonlyMap<string, readonly number[]>, options: AggregationOptions): void {
  const [first, second] = options.rates;
  const medians = new Map([...results].map(([name, values]) => [name, median(values)]));
  const single = medians.values().next().value ?? Number.NaN;
  const rows = [...medians].map(([name, mbps]) => [name, mbps.toFixed(1), `${(mbps / single).toFixed(2)} x`]);
  process.stdout.write(
    `\nOne download of ${options.bytes / 1e6} MB over links of ${first} and ${second} Mbit/s, medians of ${options.rounds} rounds\n\n`,
  );
  process.stdout.write(formatTable(['way', 'Mbit/s', 'to one link'], rows));
  saveResult('aggregation', {
    ...options,
    congestion: usualCongestion(),
    results: Object.fromEntries(results),
  });
}

function usualCongestion(): string {
  return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
}
