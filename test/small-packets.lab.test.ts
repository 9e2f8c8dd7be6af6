import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

const title = 'a link on which larger packets are lost without a word';

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  const relayState = temporaryFolder();
  let lab: Lab;
  let relay: RunningManypath;
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 20, delayMs: 5 },
        { name: 'b', rateMbit: 20, delayMs: 5 },
      ],
    });
    await lab.startOrigin('origin');
    const place = ['--listen', '[::]:8443', '--public', lab.addresses.relay, '--allow-private'];
    relay = await startManypath(['relay', '--json', ...place, '--state', relayState.path], command =>
      lab.spawn('relay', command),
    );
  });
  afterEach(async () => {
    for (const link of ['a', 'b']) await lab.heal(link);
  });
  afterAll(async () => {
    await relay.stop();
    await lab.destroy();
    relayState[Symbol.dispose]();
  });

  async function gateway(flags: readonly string[] = []) {
    const state = temporaryFolder();
    const up = await startManypath(
      ['up', '--json', '--listen', '127.0.0.1:0', ...flags, '--state', state.path],
      command => lab.spawn('client', command),
    );
    const client = await ControlClient.connect(state.path);
    const { port } = up.ready.proxy as { port: number };
    return {
      status: (): Promise<StatusDocument> => client.status(),
      /** @returns The status of the answer; 0 where there was none. */
      async upload(bytes: number, host: string): Promise<number> {
        const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel', '--max-time', '60'];
        const body = ['--header', 'Expect:', '--data-binary', '@-', '--write-out', '%{http_code}'];
        const command = [
          'curl',
          '--silent',
          ...proxy,
          ...body,
          '--output',
          '/dev/null',
          `http://${host}/upload`,
        ];
        const { stdout } = await lab.exec('client', command, {
          input: 'x'.repeat(bytes),
          allowFailure: true,
        });
        return Number(stdout);
      },
      /** @returns The bytes that came. */
      async download(bytes: number, host = lab.addresses.origin): Promise<number> {
        const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--proxytunnel', '--max-time', '15'];
        const written = ['--output', '/dev/null', '--write-out', '%{size_download}'];
        const url = `http://${host}/bytes/${bytes}`;
        const { stdout } = await lab.exec('client', ['curl', '--silent', ...proxy, ...written, url], {
          allowFailure: true,
        });
        return Number(stdout);
      },
      async [Symbol.asyncDispose]() {
        client.close();
        await up.stop();
        state[Symbol.dispose]();
      },
    };
  }

  const health = ({ paths }: StatusDocument, name: string) => paths.find(path => path.name === name);

  for (const { packetBytes, host, what } of [
    { packetBytes: 576, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1400, host: () => lab.addresses.origin, what: 'IPv4' },
    { packetBytes: 1280, host: () => `[${lab.addresses.origin6}]`, what: 'IPv6' },
  ]) {
    it(`is found by the first connection when ${packetBytes} bytes of ${what} pass, and every download comes`, async () => {
      await lab.cut('a', 'mtu', { packetBytes });
      await using up = await gateway();
      for (let times = 0; times < 4; times++) {
        expect(await up.download(300_000, host())).toBe(300_000);
      }
      const path = health(await up.status(), 'a');
      expect(path).toMatchObject({
        health: 'degraded',
        healthReason: expect.stringContaining('small packets'),
      });
      expect(health(await up.status(), 'b')?.health).toBe('up');
    });
  }

  it('is used with small segments when there is no other', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 700 });
    await lab.cut('b', 'mtu', { packetBytes: 700 });
    await using up = await gateway();
    for (let times = 0; times < 3; times++) expect(await up.download(300_000)).toBe(300_000);
  });

  it('carries nothing of lanes to the relay while another link can', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    await using up = await gateway(['--relay', String(relay.ready.pairing)]);
    while ((await up.status()).relay?.state !== 'ready') await sleep(50);
    while (health(await up.status(), 'a')?.health !== 'degraded') await sleep(50);
    for (let times = 0; times < 2; times++) expect(await up.download(1_000_000)).toBe(1_000_000);
  });

  it('is reached by the relay with small segments when both links are so', async () => {
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    await lab.cut('b', 'mtu', { packetBytes: 1000 });
    await using up = await gateway(['--relay', String(relay.ready.pairing)]);
    while ((await up.status()).relay?.state !== 'ready') await sleep(50);
    expect(await up.download(1_000_000)).toBe(1_000_000);
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
      await using up = await gateway();
      const running = up.upload(6_000_000, host());
      const busy = await busyLink('fromClient');
      await lab.cut(busy, 'mtu', { packetBytes });
      expect(await running).toBe(200);
    });
  }

  it('is found out by a straight download in the middle, which is ended; the next one comes', async () => {
    await using up = await gateway();
    const began = performance.now();
    const running = up.download(8_000_000);
    const busy = await busyLink('toClient');
    await lab.cut(busy, 'mtu', { packetBytes: 1400 });
    expect(await running).toBeLessThan(8_000_000);
    // Ended, not left to the patience of whoever downloads.
    expect(performance.now() - began).toBeLessThan(14_000);
    expect(health(await up.status(), busy)?.health).toBe('degraded');
    expect(await up.download(300_000)).toBe(300_000);
  });

  it('is left by the transfer that runs when larger packets begin to be lost', async () => {
    await using up = await gateway(['--relay', String(relay.ready.pairing)]);
    while (!(await up.status()).paths.every(({ downMbps }) => downMbps !== null)) await sleep(50);
    const before = lab.counters('a').toClient;
    const running = up.download(16_000_000);
    while (lab.counters('a').toClient - before < 1_000_000) await sleep(20);
    await lab.cut('a', 'mtu', { packetBytes: 1000 });
    expect(await running).toBe(16_000_000);
    while (health(await up.status(), 'a')?.health !== 'degraded') {
      expect(await up.download(2_000_000)).toBe(2_000_000);
    }
  });
});
