import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { manypathArguments as real, type RunningManypath, startManypath } from '../../../test/support/manypath.ts';
import { whyNoLab } from '../../../test/support/requirements.ts';

const manypathArguments = [...real.slice(0,1), new URL('../.h3/main.mjs', import.meta.url).pathname];
/** Handshakes, probes, acknowledgements: what a path carries that carries nothing, in bytes. */
const idleBytes = 60_000;

const why = whyNoLab();
describe.skipIf(why)(`tiers and caps${why ? ` (skipped: ${why})` : ''}`, () => {
  let lab: Lab;
  let relay: RunningManypath;
  let folder: string;
  let shared: string;
  let gateway: RunningManypath | undefined;
  beforeAll(async () => {
    shared = mkdtempSync(join(tmpdir(), 'manypath-tiers-'));
    lab = await Lab.create({
      links: [
        { name: 'a', device: 'eth0', rateMbit: 40, delayMs: 5 },
        { name: 'b', device: 'eth1', rateMbit: 40, delayMs: 10 },
      ],
    });
    await lab.startOrigin();
    relay = await startIt(
      [
        'relay',
        '--json',
        '--allow-private',
        '--public',
        lab.addresses.relay,
        '--state',
        join(shared, 'relay'),
      ],
      command => lab.spawn('relay', command),
    );
  });
  afterAll(async () => {
    await relay.stop();
    await lab.destroy();
    rmSync(shared, { recursive: true });
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'manypath-tiers-'));
  });
  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
    rmSync(folder, { recursive: true });
  });

  /** Starts a gateway in the lab, with the relay, under a configuration. */
  async function up(paths: object): Promise<void> {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ paths }));
    gateway = await startIt(
      [
        ...['up', '--json', '--listen', '127.0.0.1:8118', '--relay', String(relay.ready.pairing)],
        ...['--state', join(folder, 'state'), '--config', join(folder, 'config.json')],
      ],
      command => lab.spawn('client', command),
    );
    // The paths are measured once; what is to be seen is what comes after.
    await vi.waitFor(async () => expect((await status()).relay).toMatchObject({ state: 'ready' }), {
      timeout: 10_000,
      interval: 200,
    });
    await sleep(3000);
  }

  async function status(): Promise<StatusDocument> {
    const { stdout } = await lab.exec('client', [
      ...manypathArguments,
      ...['status', '--json', '--state', join(folder, 'state')],
    ]);
    return JSON.parse(stdout) as StatusDocument;
  }

  const path = async (name: string) => (await status()).paths.find(one => one.name === name);

  /** Bytes that crossed the second link while `megabytes` were downloaded. */
  async function crossedDuring(megabytes: number): Promise<number> {
    const before = crossedSecond();
    const { stdout } = await lab.exec('client', [
      ...['curl', '-q', '-sS', '-o', '/dev/null', '-w', '%{size_download}', '--max-time', '60'],
      ...['-p', '-x', 'http://127.0.0.1:8118', `http://${lab.addresses.origin}/bytes/${megabytes * 1e6}`],
    ]);
    expect(Number(stdout)).toBe(megabytes * 1e6);
    return crossedSecond() - before;
  }

  function crossedSecond(): number {
    const { fromClient, toClient } = lab.counters('b');
    return fromClient + toClient;
  }


  for (const [rate, delay, cap] of [[100, 2, 5e6], [100, 30, 8e6], [20, 60, 5e6], [40, 10, 3e6], [200, 5, 20e6]] as const)
  for (const atCap of ['never', 'backup'] as const) for (const up2 of [false, true]) {
    it(`x ${rate} ${delay} ${cap} ${atCap} ${up2}`, async () => {
      await lab.shape('b', { rateMbit: rate, uploadMbit: rate, delayMs: delay });
      await lab.shape('a', { rateMbit: rate, uploadMbit: rate, delayMs: delay });
      const before = crossedSecond();
      await up({ eth1: { dailyCap: cap, atCap } });
      const survey = crossedSecond() - before;
      const n = cap * 5;
      if (up2) await lab.exec('client', ['sh', '-c', `head -c ${n} /dev/zero | curl -q -sS -o /dev/null -T - --max-time 60 -p -x http://127.0.0.1:8118 http://${lab.addresses.origin}/upload`]);
      else await crossedDuring(n / 1e6);
      const crossed = crossedSecond() - before;
      const p = await path('eth1');
      appendFileSync('/tmp/h3v.txt', JSON.stringify({ rate, delay, cap, atCap, up2, survey: survey / cap, crossed: crossed / cap, counted: (p?.usage.todayBytes ?? 0) / cap, tier: p?.tier }) + '\n');
    });
  }
});
import { appendFileSync } from 'node:fs';
async function startIt(parameters: any, start: any) {
  const running = await startManypath(parameters, (c: any) => start([process.execPath, manypathArguments[1], ...c.slice(2)]));
  return { ...running, stop: async (s?: any) => { const r = await running.stop(s); appendFileSync('/tmp/h3x.log', running.log()); return r; } };
}
