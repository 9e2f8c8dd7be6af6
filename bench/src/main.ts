import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { errorMessage, ManypathError } from '@manypath/core';
import { aggregation } from './aggregation.ts';
import { connections } from './connections.ts';
import { endurance } from './endurance.ts';
import { memory } from './memory.ts';
import { outage } from './outage/outage.ts';
import { page } from './page.ts';
import { promotion } from './promotion.ts';
import { relayCost } from './relay-cost.ts';
import { sealing } from './sealing.ts';
import { streams } from './streams/streams.ts';
import { tunnelCost } from './tunnel-cost.ts';

const usage = `Usage: npm run bench [-- all|NAME…] [options]

  connections  new connections a second, CPU of each, and how much later its first byte comes, beside
               microsocks and shadowsocks-libev under mptcpize
  tunnel-cost  CPU of a gigabyte and rate, one stream and eight, down and up, beside the same
  memory       what 5 000 open tunnels take that nobody uses, beside the same
  page         Chromium loads 300 small images from 30 hosts, beside shadowsocks-libev and directly
  relay-cost   what it costs to relay bytes, beside HAProxy, microsocks and plain Node
  aggregation  what two links carry together, beside microsocks under mptcpize
  promotion    when a second path pays: transfers of many sizes over unequal links, beside the
               best path alone and a gateway that joins every path at once
  endurance    200 faults in 10 minutes of transfers: is anything lost?
  outage       the network is away for 100 s, becomes another one, or resets every connection: what goes on?
  streams      streams of a web page, beside a plain WebSocket and native messaging alone
  sealing      what TLS of Node costs, beside larger pieces that are sealed without it

  Without a name: relay-cost and aggregation; the others take long. With all: one after the other.

  --quick      little of everything: shows that it runs, not more
  --rounds N   how often every relay or way gets its turn (default 9, or 5 where it takes longer)
  --only TEXT  only relays, ways or faults with TEXT in their names, and what they are compared with
  --seed N     endurance: other faults
  --links A/B  promotion: only links of these rates in Mbit/s
  --delay A/B  promotion: only links with these round trips in ms
  --bytes N,N  promotion: only transfers of these sizes
  --tcp        both legs TCP instead of Multipath TCP
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    only: { type: 'string' },
    links: { type: 'string' },
    seed: { type: 'string' },
    delay: { type: 'string' },
    bytes: { type: 'string' },
    tcp: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** How many of each kind in {@link matrix} are measured. */
const few = values.quick ? 1 : Number.POSITIVE_INFINITY;

const benchmarks: Record<string, () => Promise<void>> = {
  'relay-cost': () =>
    relayCost({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 9)),
      bytes: (values.quick ? 64 : 2048) * 2 ** 20,
      streams: [1, 8],
      mptcp: !values.tcp,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  connections: () =>
    connections({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      seconds: values.quick ? 0.3 : 3,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  'tunnel-cost': () =>
    tunnelCost({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      bytes: (values.quick ? 16 : 400) * 1e6,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  memory: () =>
    memory({
      tunnels: values.quick ? 200 : 5_000,
      settleMs: values.quick ? 500 : 20_000,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  page: () =>
    page({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 9)),
      objects: values.quick ? 40 : 300,
      hosts: values.quick ? 4 : 30,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  aggregation: () =>
    aggregation({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      bytes: (values.quick ? 8 : 32) * 1e6,
      rates: [30, 30],
    }),
  promotion: () =>
    promotion({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 3)),
      rates: values.links === undefined ? matrix.rates.slice(0, few) : [pair(values.links)],
      roundTrips: values.delay === undefined ? matrix.roundTrips.slice(0, few) : [pair(values.delay)],
      sizes: values.bytes?.split(',').map(Number) ?? matrix.sizes.slice(0, few),
    }),
  endurance: () =>
    endurance({
      faults: values.quick ? 6 : 200,
      seconds: values.quick ? 15 : 600,
      seed: Number(values.seed ?? 1),
    }),
  outage: () =>
    outage({
      seconds: values.quick ? 2 : 100,
      stoppedSeconds: values.quick ? 2 : 120,
      calmSeconds: values.quick ? 1 : 3,
      patienceSeconds: values.quick ? 5 : 60,
      ...(values.only === undefined ? {} : { only: values.only }),
    }),
  sealing: () =>
    sealing({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      bytes: (values.quick ? 128 : 1024) * 2 ** 20,
    }),
  streams: () =>
    streams({
      rounds: Number(values.rounds ?? (values.quick ? 1 : 5)),
      bytes: (values.quick ? 16 : 128) * 2 ** 20,
      settleMs: values.quick ? 1_000 : 10_000,
    }),
};

/** How long a benchmark may take that has little to do, in milliseconds. */
const quickMs = 120_000;

/** What runs when nothing is named: the others take long. */
const usual = ['relay-cost', 'aggregation'];

const matrix = {
  rates: [
    [20, 20],
    [50, 10],
    [100, 10],
    [10, 50],
  ],
  roundTrips: [
    [0, 0],
    [10, 40],
    [60, 20],
  ],
  sizes: [100_000, 500_000, 2_000_000, 8_000_000, 32_000_000],
} as const;

function pair(text: string): readonly [number, number] {
  const [first = Number.NaN, second = Number.NaN] = text.split('/').map(Number);
  return [first, second];
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${errorMessage(error)}\n`);
  if (ManypathError.is(error) && error.hint !== undefined) process.stderr.write(`${error.hint}\n`);
  process.exitCode = 1;
}

async function main(): Promise<void> {
  const names = positionals.includes('all')
    ? Object.keys(benchmarks)
    : positionals.length > 0
      ? positionals
      : usual;
  const unknown = names.find(name => benchmarks[name] === undefined);
  if (values.help || unknown !== undefined) {
    process.stderr.write(usage);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const [only = ''] = names;
  if (names.length === 1) return await benchmarks[only]?.();
  for (const name of names) runAlone(name);
}

/** Runs one of several in a process of its own: some move into a network of their own, and each ends what it has started. */
function runAlone(name: string): void {
  process.stderr.write(`\n${name}\n`);
  const options = process.argv.slice(2).filter(word => !positionals.includes(word));
  const [main = ''] = process.argv.slice(1);
  const { status, error } = spawnSync(process.execPath, [main, name, ...options], {
    stdio: 'inherit',
    timeout: values.quick ? quickMs : undefined,
  });
  if (status === 0) return;
  process.stderr.write(`bench: ${name} failed${error === undefined ? '' : `: ${errorMessage(error)}`}\n`);
  process.exitCode = 1;
}
