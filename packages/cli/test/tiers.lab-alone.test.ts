import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { manypathArguments, type RunningManypath, startManypath } from '../../../test/support/manypath.ts';
import { startLabRelay } from '../../../test/support/relay.ts';
import { whyNoLab } from '../../../test/support/requirements.ts';

/** Handshakes, probes, acknowledgements: what a path carries that carries nothing, in bytes. */
const idleBytes = 60_000;

/** Through the gateway, by CONNECT. */
const curl = ['curl', '-q', '-sS', '--max-time', '60', '-p', '-x', 'http://127.0.0.1:8118'];

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
    relay = await startLabRelay(lab, shared);
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
  async function up(paths: object, withRelay = true): Promise<void> {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ paths }));
    gateway = await startManypath(
      [
        ...['up', '--json', '--listen', '127.0.0.1:8118'],
        ...(withRelay ? ['--relay', String(relay.ready.pairing)] : []),
        ...['--state', join(folder, 'state'), '--config', join(folder, 'config.json')],
      ],
      command => lab.spawn('client', command),
    );
    if (!withRelay) return;
    // The paths are measured once; what is to be seen is what comes after.
    await vi.waitFor(
      async () => {
        const { relay: link, paths } = await status();
        expect(link).toMatchObject({ state: 'ready' });
        expect(paths.find(({ name }) => name === 'eth0')?.downMbps).not.toBeNull();
      },
      { timeout: 10_000, interval: 200 },
    );
    let before: number;
    do {
      before = crossed();
      await sleep(800);
    } while (crossed() - before > 10_000);
  }

  /** Bytes that crossed both links. */
  function crossed(): number {
    return ['a', 'b'].reduce(
      (sum, link) => sum + lab.counters(link).toClient + lab.counters(link).fromClient,
      0,
    );
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
      ...[...curl, '-o', '/dev/null', '-w', '%{size_download}'],
      ...[`http://${lab.addresses.origin}/bytes/${megabytes * 1e6}`],
    ]);
    expect(Number(stdout)).toBe(megabytes * 1e6);
    return crossedSecond() - before;
  }

  async function upload(megabytes: number): Promise<void> {
    const command = `head -c ${megabytes * 1e6} /dev/zero | ${curl.join(' ')} -o /dev/null -T -`;
    await lab.exec('client', ['sh', '-c', `${command} http://${lab.addresses.origin}/upload`]);
  }

  function crossedSecond(): number {
    const { fromClient, toClient } = lab.counters('b');
    return fromClient + toClient;
  }

  it('let both links carry when nothing is said', async () => {
    await up({});
    expect(await crossedDuring(16)).toBeGreaterThan(3e6);
    expect((await path('eth1'))?.tier).toBe('primary');
    expect((await path('eth1'))?.usage.todayBytes).toBeGreaterThan(3e6);
  });

  for (const tier of ['backup', 'never'] as const) {
    it(`keep a path that is ${tier} free of payload while the other one lives`, async () => {
      const before = crossedSecond();
      await up({ eth1: tier });
      await crossedDuring(16);
      // From the very start on: no path is measured that is to carry nothing.
      expect(crossedSecond() - before).toBeLessThan(idleBytes);
      const { relay: link, paths } = await status();
      expect(paths.find(({ name }) => name === 'eth1')?.tier).toBe(tier);
      const subflows = (link?.lanes ?? []).flatMap(lane => lane.subflows);
      const onSecond = subflows.filter(({ local }) => local.startsWith(`${lab.addresses.clientB}:`));
      expect(onSecond.map(({ bytesIn }) => bytesIn)).toEqual(onSecond.map(() => 0));
      if (tier === 'never') expect(onSecond).toEqual([]);
    });
  }

  it('use a backup path when the primary one dies', async () => {
    await up({ eth1: 'backup' });
    await lab.cut('a', 'carrier');
    try {
      expect(await crossedDuring(4)).toBeGreaterThan(4e6);
    } finally {
      await lab.heal('a');
    }
  });

  for (const atCap of ['never', 'backup'] as const) {
    it(`stop at a cap within 1 %, then ${atCap}`, async () => {
      const cap = 8e6;
      const before = crossedSecond();
      await up({ eth1: { dailyCap: cap, atCap } });
      await crossedDuring(24);
      const used = crossedSecond() - before;
      expect(used).toBeLessThanOrEqual(cap * 1.01);
      expect(used).toBeGreaterThan(cap * 0.5);
      expect(await path('eth1')).toMatchObject({
        tier: atCap,
        usage: { capReached: true, dailyCapBytes: cap },
      });
      expect(await crossedDuring(4)).toBeLessThan(idleBytes);
      // Restarted it still knows.
      await gateway?.stop();
      await up({ eth1: { dailyCap: cap, atCap } });
      expect(await crossedDuring(4)).toBeLessThan(idleBytes);
    });
  }

  for (const [rateMbit, delayMs, cap] of [
    [100, 2, 5e6],
    [20, 60, 5e6],
  ] as const) {
    it(`are not passed at ${rateMbit} Mbit/s and ${2 * delayMs} ms, up and down, with a cap of ${cap} bytes`, async () => {
      for (const link of ['a', 'b']) {
        await lab.shape(link, { rateMbit, uploadMbit: rateMbit, delayMs });
      }
      try {
        const before = crossedSecond();
        await up({ eth1: { dailyCap: cap, atCap: 'backup' } });
        await crossedDuring(15);
        await upload(15);
        expect(crossedSecond() - before).toBeLessThanOrEqual(cap * 1.01);
      } finally {
        for (const [link, delay] of [
          ['a', 5],
          ['b', 10],
        ] as const) {
          await lab.shape(link, { rateMbit: 40, uploadMbit: 40, delayMs: delay });
        }
      }
    });
  }

  it('end a connection of plain TCP, which cannot leave its path, at the cap', async () => {
    const cap = 6e6;
    const before = crossedSecond();
    await up({ eth0: 'never', eth1: { dailyCap: cap, atCap: 'never' } }, false);
    await lab.exec('client', [...curl, '-o', '/dev/null', `http://${lab.addresses.origin}/bytes/40000000`], {
      allowFailure: true,
    });
    expect(crossedSecond() - before).toBeLessThanOrEqual(cap * 1.01);
    expect(crossedSecond() - before).toBeGreaterThan(cap * 0.5);
    expect((await path('eth1'))?.tier).toBe('never');
  });

  it('change while the gateway runs, also under a transfer', async () => {
    await up({});
    const set = (...parameters: string[]) =>
      lab.exec('client', [
        ...manypathArguments,
        ...['paths', 'set', 'eth1', ...parameters, '--config', join(folder, 'config.json')],
      ]);
    const transfer = crossedDuring(32);
    await sleep(1500);
    await set('backup');
    await vi.waitFor(async () => expect((await path('eth1'))?.tier).toBe('backup'), 5000);
    await sleep(300);
    const after = crossedSecond();
    await transfer;
    expect(crossedSecond() - after).toBeLessThan(idleBytes + 200_000);
    await set('primary');
    await vi.waitFor(async () => expect((await path('eth1'))?.tier).toBe('primary'), 5000);
    expect(await crossedDuring(16)).toBeGreaterThan(3e6);
  });
});
