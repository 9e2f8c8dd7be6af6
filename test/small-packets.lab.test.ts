import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from './support/requirements.ts';
import { TwoLinks } from './support/two-links.ts';

const title = 'a link on which larger packets are lost without a word';

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let stage: TwoLinks;
  let lab: Lab;
  beforeAll(async () => {
    stage = await TwoLinks.create();
    lab = stage.lab;
  });
  afterEach(async () => {
    for (const link of ['a', 'b']) await lab.heal(link);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  for (const { packetBytes, host, what } of [
    { packetBytes: 576, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1400, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1280, host: () => `[${lab.addresses.origin6}]`, what: 'IPv6' },
  ]) {
    it(`is found by the first connection when ${packetBytes} bytes of ${what} pass, and every download comes`, async () => {
      await lab.cut('a', 'mtu', { packetBytes });
      await using up = await stage.startGateway({ relay: false });
      for (let times = 0; times < 4; times++) {
        expect((await up.download(300_000, host())).size).toBe(300_000);
      }
      expect(await up.path('a')).toMatchObject({
        health: 'degraded',
        healthReason: expect.stringContaining('small packets'),
      });
      expect((await up.path('b'))?.health).toBe('up');
    });
  }

  it('is used with small segments when there is no other', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 700 });
    await lab.cut('b', 'mtu', { packetBytes: 700 });
    await using up = await stage.startGateway({ relay: false });
    for (let times = 0; times < 3; times++) expect((await up.download(300_000)).size).toBe(300_000);
  });

  it('carries nothing of lanes to the relay while another link can', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    await using up = await stage.startGateway();
    await up.until(({ relay }) => relay?.state === 'ready');
    await up.until(({ paths }) => paths.some(({ name, health }) => name === 'a' && health === 'degraded'));
    for (let times = 0; times < 2; times++) expect((await up.download(1_000_000)).size).toBe(1_000_000);
  });

  it('is reached by the relay with small segments when both links are so', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    await lab.cut('b', 'mtu', { packetBytes: 1000 });
    await using up = await stage.startGateway();
    await up.until(({ relay }) => relay?.state === 'ready');
    expect((await up.download(1_000_000)).size).toBe(1_000_000);
  });

  it('is left for lanes of small segments when every link becomes so while lanes are open', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    for (const link of ['a', 'b']) await lab.cut(link, 'mtu', { packetBytes: 1000 });
    while (!(await up.status()).paths.every(({ health }) => health === 'degraded')) {
      expect((await up.download(1_000_000)).size).toBe(1_000_000);
    }
    // Lanes of large segments take more than seven seconds for each of these.
    const began = performance.now();
    for (let times = 0; times < 4; times++) expect((await up.download(300_000)).size).toBe(300_000);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  /** The link that carries more than a megabyte, as soon as one does. */
  async function busyLink(direction: 'toClient' | 'fromClient'): Promise<string> {
    const counted = () => ['a', 'b'].map(link => ({ link, bytes: lab.counters(link)[direction] }));
    const before = counted();
    for (;;) {
      const now = counted().map(({ link, bytes }, index) => ({
        link,
        more: bytes - (before[index]?.bytes ?? 0),
      }));
      const busy = now.find(({ more }) => more > 1_000_000);
      if (busy !== undefined) return busy.link;
      await sleep(10);
    }
  }

  for (const { packetBytes, host, what } of [
    { packetBytes: 576, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1400, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1280, host: () => `[${lab.addresses.origin6}]`, what: 'IPv6' },
  ]) {
    it(`holds a straight upload up for some seconds when only ${packetBytes} bytes of ${what} pass from now on`, async () => {
      await using up = await stage.startGateway({ relay: false });
      const running = up.upload(6_000_000, host());
      const busy = await busyLink('fromClient');
      await lab.cut(busy, 'mtu', { packetBytes });
      expect(await running).toBe(200);
    });
  }

  it('is found out by a straight download in the middle, which is ended; the next one comes', async () => {
    await using up = await stage.startGateway({ relay: false });
    const began = performance.now();
    const running = up.download(8_000_000);
    const busy = await busyLink('toClient');
    await lab.cut(busy, 'mtu', { packetBytes: 1400 });
    expect((await running).size).toBeLessThan(8_000_000);
    // Ended, not left to the patience of whoever downloads.
    expect(performance.now() - began).toBeLessThan(14_000);
    expect((await up.path(busy))?.health).toBe('degraded');
    expect((await up.download(300_000)).size).toBe(300_000);
  });

  it('is found out by straight Multipath TCP in the middle of a download where there is no other link', async () => {
    await lab.startOrigin('originMptcp');
    await lab.cut('b', 'carrier');
    await using up = await stage.startGateway({ relay: false });
    const running = up.download(8_000_000, lab.addresses.originMptcp);
    expect(await busyLink('toClient')).toBe('a');
    await lab.cut('a', 'mtu', { packetBytes: 1400 });
    expect((await running).size).toBeLessThan(8_000_000);
    expect((await up.path('a'))?.health).toBe('degraded');
    expect((await up.download(300_000, lab.addresses.originMptcp)).size).toBe(300_000);
  });

  it('is left by the transfer that runs when larger packets begin to be lost', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    const before = lab.counters('a').toClient;
    const running = up.download(16_000_000);
    while (lab.counters('a').toClient - before < 1_000_000) await sleep(20);
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    expect((await running).size).toBe(16_000_000);
    while ((await up.path('a'))?.health !== 'degraded') {
      expect((await up.download(2_000_000)).size).toBe(2_000_000);
    }
  });
});
