import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FaultKind, Lab, patternBytes, patternSha256 } from '@manypath/lab';
import { startRelay, startUp } from './manypath-in-lab.ts';
import { saveResult } from './results.ts';

/** What {@link endurance} does. */
export interface EnduranceOptions {
  readonly faults: number;
  /** Over how long they are spread, in seconds. */
  readonly seconds: number;
  /** For the choice of faults. */
  readonly seed: number;
}

interface Tally {
  transfers: number;
  bytes: number;
  readonly failures: string[];
}

const transferBytes = 3_000_000;
/** Transfers at once, each way. */
const clients = 2;
/** The longest that a transfer may take in a world like this one, in milliseconds. */
const transferMs = 120_000;

/**
 * Downloads and uploads without a pause, through a gateway and a relay, while links break in every way there is: carrier,
 * address, silence, both links at once for 5 s, routes. Every byte is compared; afterwards the host must be as it was.
 */
export async function endurance({ faults, seconds, seed }: EnduranceOptions): Promise<void> {
  const lab = await Lab.create({
    links: [
      { name: 'a', rateMbit: 30, delayMs: 5 },
      { name: 'b', rateMbit: 20, delayMs: 15 },
    ],
  });
  const state = mkdtempSync(join(tmpdir(), 'manypath-bench-'));
  const tally: Tally = { transfers: 0, bytes: 0, failures: [] };
  try {
    await lab.startOrigin('origin');
    const before = await kernelState(lab);
    const { pairing } = await startRelay(lab, join(state, 'relay'));
    const up = await startUp(lab, { state: join(state, 'up'), port: 8118, pairing });
    await sleep(3000);
    const descriptors = () => readdirSync(`/proc/${up.pid}/fd`).length;
    const descriptorsBefore = descriptors();
    let running = true;
    const transfers = Array.from({ length: clients }, () => [
      repeat(
        () => running,
        tally,
        () => download(lab),
      ),
      repeat(
        () => running,
        tally,
        () => upload(lab),
      ),
    ]).flat();
    const counts = await breakThings(lab, { faults, seconds, seed }, tally);
    running = false;
    await Promise.all(transfers);
    await sleep(5000);
    const descriptorsAfter = descriptors();
    up.kill('SIGTERM');
    await new Promise(resolve => up.once('exit', resolve));
    const after = await kernelState(lab);
    report({ faults, seconds, seed }, tally, counts, {
      descriptors: `${descriptorsBefore} before, ${descriptorsAfter} after`,
      kernel: before === after ? 'as before' : `changed:\n${before}\n---\n${after}`,
    });
  } finally {
    await lab.destroy();
    rmSync(state, { recursive: true, force: true });
  }
}

async function repeat(
  isWanted: () => boolean,
  tally: Tally,
  transfer: () => Promise<string | undefined>,
): Promise<void> {
  while (isWanted()) {
    const failure = await transfer().catch((error: unknown) => String(error));
    tally.transfers += 1;
    tally.bytes += transferBytes;
    if (failure === undefined) continue;
    tally.failures.push(failure);
    process.stderr.write(`\n${failure}\n`);
    await sleep(500);
  }
}

const proxied = ['--silent', '--show-error', '--fail', '--proxy', 'http://127.0.0.1:8118', '--proxytunnel'];

async function download(lab: Lab): Promise<string | undefined> {
  const url = `http://${lab.addresses.origin}/bytes/${transferBytes}`;
  const pipeline = `curl ${proxied.join(' ')} ${url} | sha256sum; exit \${PIPESTATUS[0]}`;
  const { code, stdout, stderr } = await lab.exec('client', ['bash', '-c', pipeline], {
    timeoutMs: transferMs,
    allowFailure: true,
  });
  if (code !== 0) return `download: ${stderr.trim()}`;
  return stdout.startsWith(patternSha256(transferBytes)) ? undefined : 'download: other bytes came';
}

const uploaded = Buffer.from(patternBytes(0, transferBytes));
const uploadedSha256 = createHash('sha256').update(uploaded).digest('hex');

async function upload(lab: Lab): Promise<string | undefined> {
  const url = `http://${lab.addresses.origin}/upload`;
  const { code, stdout, stderr } = await lab.exec(
    'client',
    ['curl', ...proxied, '--data-binary', '@-', '-H', 'Expect:', url],
    { input: uploaded, timeoutMs: transferMs, allowFailure: true },
  );
  if (code !== 0) return `upload: ${stderr.trim()}`;
  return stdout.includes(uploadedSha256) ? undefined : 'upload: other bytes arrived';
}

async function breakThings(
  lab: Lab,
  { faults, seconds, seed }: EnduranceOptions,
  tally: Tally,
): Promise<Map<string, number>> {
  const random = generator(seed);
  const counts = new Map<string, number>();
  const pace = (seconds * 1000) / faults;
  for (let number = 1; number <= faults; number++) {
    const startedAt = performance.now();
    const name = random() < 0.5 ? 'a' : 'b';
    const kind = kinds[Math.floor(random() * kinds.length)] ?? 'carrier';
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    // Both links at once last 5 s, the others for part of their turn.
    const lasts = kind === 'both' ? 5000 : Math.min(pace * 0.6, 300 + random() * pace * 0.5);
    await strike(lab, kind, name, lasts);
    const { transfers, failures } = tally;
    process.stderr.write(
      `\rfault ${number} of ${faults} (${kind} ${name}), ${transfers} transfers, ${failures.length} failed   `,
    );
    await sleep(Math.max(200, pace - (performance.now() - startedAt)));
  }
  process.stderr.write('\n');
  return counts;
}

const kinds = ['carrier', 'address', 'blackhole', 'blackhole', 'route', 'both'] as const;

async function strike(lab: Lab, kind: (typeof kinds)[number], name: string, lasts: number): Promise<void> {
  if (kind === 'route') {
    const { device, gateway } = lab.link(name);
    const route = ['default', 'via', gateway, 'dev', device];
    const { stdout } = await lab.exec('client', ['ip', 'route', 'show', 'default', 'dev', device]);
    const metric = /metric (\d+)/.exec(stdout)?.[1];
    const whole = metric === undefined ? route : [...route, 'metric', metric];
    await lab.exec('client', ['ip', 'route', 'del', ...whole], { allowFailure: true });
    await sleep(lasts);
    await lab.exec('client', ['ip', 'route', 'replace', ...whole], { allowFailure: true });
    return;
  }
  const struck = kind === 'both' ? ['a', 'b'] : [name];
  const fault: FaultKind = kind === 'both' ? 'blackhole' : kind;
  for (const link of struck) await lab.cut(link, fault);
  await sleep(lasts);
  for (const link of struck) await lab.heal(link);
}

/** What of the kernel Manypath changes while it runs. */
async function kernelState(lab: Lab): Promise<string> {
  const commands = [
    ['ip', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', 'mptcp', 'endpoint'],
    ['ip', 'mptcp', 'limits'],
    ['sysctl', 'net.mptcp.path_manager'],
  ];
  const outputs: string[] = [];
  for (const command of commands)
    outputs.push((await lab.exec('client', command, { allowFailure: true })).stdout);
  return outputs.join('');
}

function report(
  options: EnduranceOptions,
  { transfers, bytes, failures }: Tally,
  counts: ReadonlyMap<string, number>,
  host: { readonly descriptors: string; readonly kernel: string },
): void {
  const kindsSeen = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  process.stdout.write(
    `${options.faults} faults in ${options.seconds} s (${kindsSeen}; seed ${options.seed})\n` +
      `${transfers} transfers of ${transferBytes / 1e6} MB, ${(bytes / 1e9).toFixed(2)} GB, ${failures.length} failed\n` +
      `descriptors of the gateway: ${host.descriptors}\nrules, endpoints, limits, settings: ${host.kernel}\n`,
  );
  for (const failure of failures) process.stdout.write(`  ${failure}\n`);
  saveResult('endurance', {
    ...options,
    transfers,
    bytes,
    failures,
    counts: Object.fromEntries(counts),
    ...host,
  });
  if (failures.length > 0 || host.kernel !== 'as before') process.exitCode = 1;
}

/** The same numbers for the same seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
