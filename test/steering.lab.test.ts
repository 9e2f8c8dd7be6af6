import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from './support/requirements.ts';
import { TwoLinks } from './support/two-links.ts';

describe.skipIf(whyNoLab())(`lanes over two links${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let stage: TwoLinks;
  let lab: Lab;
  beforeAll(async () => {
    stage = await TwoLinks.create();
    lab = stage.lab;
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  it('are told of with the rate and the round trip of each path', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    for (const path of (await up.status()).paths) {
      expect(path).toMatchObject({ tier: 'primary', health: 'up' });
      expect(path.downMbps).toBeGreaterThan(12);
      expect(path.downMbps).toBeLessThan(40);
      expect(path.rttMs).toBeGreaterThan(8);
    }
  });

  it('carry a download over both', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    const before = [lab.counters('a').toClient, lab.counters('b').toClient];
    expect((await up.download(6_000_000)).size).toBe(6_000_000);
    const after = [lab.counters('a').toClient, lab.counters('b').toClient];
    for (const index of [0, 1]) {
      expect((after[index] ?? 0) - (before[index] ?? 0)).toBeGreaterThan(1_500_000);
    }
  });

  it('carry nothing over a backup path while another one works, and everything when none does', async () => {
    await using up = await stage.startGateway({ config: { paths: { b: 'backup' } } });
    await up.until(({ relay }) => relay?.state === 'ready');
    const before = lab.counters('b').toClient;
    expect((await up.download(2_000_000)).size).toBe(2_000_000);
    expect(lab.counters('b').toClient - before).toBeLessThan(10_000);
    await lab.cut('a', 'blackhole');
    try {
      expect((await up.download(2_000_000)).size).toBe(2_000_000);
      expect(lab.counters('b').toClient - before).toBeGreaterThan(2_000_000);
    } finally {
      await lab.heal('a');
    }
  });

  it('carry no more over a path than its cap', async () => {
    await using up = await stage.startGateway({
      config: { paths: { b: { tier: 'primary', dailyCap: '4MB', atCap: 'never' } } },
    });
    const links = () => lab.counters('b').toClient + lab.counters('b').fromClient;
    const before = links();
    await up.untilMeasured();
    expect((await up.download(12_000_000)).size).toBe(12_000_000);
    expect(links() - before).toBeLessThan(4_000_000 * 1.01);
    expect(await up.path('b')).toMatchObject({
      tier: 'never',
      usage: { capReached: true, dailyCapBytes: 4_000_000 },
    });
  });

  for (const link of ['a', 'b']) {
    it(`go on when link ${link} falls silent, and use it again when it is back`, async () => {
      await using up = await stage.startGateway();
      await up.untilMeasured();
      const carriedBefore = lab.counters(link).toClient;
      let isOver = false;
      const running = up.download(32_000_000).finally(() => {
        isOver = true;
      });
      while (lab.counters(link).toClient - carriedBefore < 1_500_000) await sleep(20);
      await lab.cut(link, 'blackhole');
      await up.until(({ paths }) => paths.some(({ health }) => health === 'dead'));
      await lab.heal(link);
      const before = lab.counters(link).toClient;
      const since = () => lab.counters(link).toClient - before;
      while (!isOver && since() < 300_000) await sleep(50);
      expect(since()).toBeGreaterThanOrEqual(300_000);
      expect((await running).size).toBe(32_000_000);
    });
  }

  it('have a link that falls silent while nothing is carried found by whoever asks how paths are', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    await sleep(1000);
    await lab.cut('b', 'blackhole');
    try {
      await up.until(({ paths }) => paths.some(({ health }) => health === 'dead'));
      const { paths } = await up.status();
      expect(paths.map(({ name, health }) => [name, health])).toEqual([
        ['a', 'up'],
        ['b', 'dead'],
      ]);
    } finally {
      await lab.heal('b');
    }
  });

  it('move to the only link that is left at once, and new connections too', async () => {
    await using up = await stage.startGateway();
    await up.untilMeasured();
    await lab.cut('a', 'blackhole');
    try {
      const first = await up.download(1000);
      const second = await up.download(1000);
      expect(first.size + second.size).toBe(2000);
      expect(first.milliseconds).toBeLessThan(3000);
      expect(second.milliseconds).toBeLessThan(1000);
    } finally {
      await lab.heal('a');
    }
  });
});
