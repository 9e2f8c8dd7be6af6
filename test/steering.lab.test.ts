import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

describe.skipIf(whyNoLab())(`lanes over two links${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let lab: Lab;
  let relay: RunningManypath;
  const relayState = temporaryFolder();
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 20, delayMs: 5 },
        { name: 'b', rateMbit: 20, delayMs: 5 },
      ],
    });
    await lab.startOrigin('origin');
    const place = ['--listen', '0.0.0.0:8443', '--public', lab.addresses.relay, '--allow-private'];
    relay = await startManypath(['relay', '--json', ...place, '--state', relayState.path], command =>
      lab.spawn('relay', command),
    );
  });
  afterAll(async () => {
    await relay.stop();
    await lab.destroy();
    relayState[Symbol.dispose]();
  });

  /** A gateway that has measured its paths. */
  async function gateway(config: object = {}) {
    const state = temporaryFolder();
    const file = join(state.path, 'config.json');
    writeFileSync(file, JSON.stringify(config));
    const flags = ['--listen', '127.0.0.1:0', '--relay', String(relay.ready.pairing), '--config', file];
    const up = await startManypath(['up', '--json', ...flags, '--state', state.path], command =>
      lab.spawn('client', command),
    );
    const client = await ControlClient.connect(state.path);
    const status = (): Promise<StatusDocument> => client.status();
    const { port } = up.ready.proxy as { port: number };
    return {
      status,
      /** @returns How long a download took, in milliseconds, and how much of it came. */
      async download(bytes: number) {
        const url = `http://${lab.addresses.origin}/bytes/${bytes}`;
        const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel'];
        const written = ['--output', '/dev/null', '--write-out', '%{time_total} %{size_download}'];
        const { stdout } = await lab.exec('client', ['curl', '--silent', ...proxy, ...written, url], {
          timeoutMs: 60_000,
          allowFailure: true,
        });
        const [seconds = Number.NaN, size = 0] = stdout.split(' ').map(Number);
        return { milliseconds: seconds * 1000, size };
      },
      async [Symbol.asyncDispose]() {
        client.close();
        await up.stop();
        state[Symbol.dispose]();
      },
    };
  }

  async function until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await sleep(50);
  }

  const measured = ({ paths }: StatusDocument) => paths.every(({ downMbps }) => downMbps !== null);

  it('are told of with the rate and the round trip of each path', async () => {
    await using up = await gateway();
    await until(async () => measured(await up.status()));
    for (const path of (await up.status()).paths) {
      expect(path).toMatchObject({ tier: 'primary', health: 'up' });
      expect(path.downMbps).toBeGreaterThan(12);
      expect(path.downMbps).toBeLessThan(40);
      expect(path.rttMs).toBeGreaterThan(8);
    }
  });

  it('carry a download over both', async () => {
    await using up = await gateway();
    await until(async () => measured(await up.status()));
    const before = [lab.counters('a').toClient, lab.counters('b').toClient];
    expect((await up.download(6_000_000)).size).toBe(6_000_000);
    const after = [lab.counters('a').toClient, lab.counters('b').toClient];
    for (const index of [0, 1]) {
      expect((after[index] ?? 0) - (before[index] ?? 0)).toBeGreaterThan(1_500_000);
    }
  });

  it('carry nothing over a backup path while another one works, and everything when none does', async () => {
    await using up = await gateway({ paths: { b: 'backup' } });
    await until(async () => (await up.status()).relay?.state === 'ready');
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
    await using up = await gateway({ paths: { b: { tier: 'primary', dailyCap: '4MB', atCap: 'never' } } });
    const links = () => lab.counters('b').toClient + lab.counters('b').fromClient;
    const before = links();
    await until(async () => measured(await up.status()));
    expect((await up.download(12_000_000)).size).toBe(12_000_000);
    expect(links() - before).toBeLessThan(4_000_000 * 1.01);
    const path = (await up.status()).paths.find(({ name }) => name === 'b');
    expect(path).toMatchObject({ tier: 'never', usage: { capReached: true, dailyCapBytes: 4_000_000 } });
  });

  for (const link of ['a', 'b']) {
    it(`go on when link ${link} falls silent, and use it again when it is back`, async () => {
      await using up = await gateway();
      await until(async () => measured(await up.status()));
      let isOver = false;
      const running = up.download(32_000_000).finally(() => {
        isOver = true;
      });
      await sleep(800);
      await lab.cut(link, 'blackhole');
      await until(async () => (await up.status()).paths.some(({ health }) => health === 'dead'));
      await lab.heal(link);
      const before = lab.counters(link).toClient;
      const since = () => lab.counters(link).toClient - before;
      await until(async () => isOver || since() > 300_000);
      expect(since()).toBeGreaterThan(300_000);
      expect((await running).size).toBe(32_000_000);
    });
  }

  it('have a link that falls silent while nothing is carried found by whoever asks how paths are', async () => {
    await using up = await gateway();
    await until(async () => measured(await up.status()));
    await sleep(1000);
    await lab.cut('b', 'blackhole');
    try {
      await until(async () => (await up.status()).paths.some(({ health }) => health === 'dead'));
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
    await using up = await gateway();
    await until(async () => measured(await up.status()));
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
