import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from './support/requirements.ts';
import {
  openTunnel,
  type Running,
  runConversation,
  runDownload,
  runUpload,
} from './support/running-transfers.ts';
import { type LabGateway, TwoLinks } from './support/two-links.ts';

const title = 'a download, an upload and a conversation';
const links = ['a', 'b'] as const;
/** How long things last that are long, in milliseconds; tried with minutes too. */
const longMs = Number(process.env.MANYPATH_OUTAGE_SECONDS ?? 8) * 1000;

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let stage: TwoLinks;
  let lab: Lab;
  let up: LabGateway;
  beforeAll(async () => {
    stage = await TwoLinks.create();
    lab = stage.lab;
    up = await stage.startGateway();
    await up.untilMeasured();
  });
  afterAll(async () => {
    await up[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  /** Has all three run, does something to them, and sees that each goes on, and that no byte is lost or wrong. */
  async function goOnThrough(outage: () => Promise<void>): Promise<void> {
    // More of them may be left of the outage before, for a minute.
    await up.until(({ relay }) => (relay?.lanes.length ?? 0) >= 2);
    const through = { lab, port: up.port };
    const running = await Promise.all([runDownload(through), runUpload(through), runConversation(through)]);
    try {
      await moved(running, 100_000);
      await outage();
      const before = running.map(({ bytes }) => bytes);
      const isOn = () => running.every(({ bytes }, index) => bytes > (before[index] ?? 0) + 1000);
      while (!isOn() && running.every(({ failure }) => failure === undefined)) await sleep(20);
      expect(running.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined]);
    } finally {
      for (const transfer of running) transfer.stop();
    }
  }

  async function moved([download, upload]: readonly Running[], bytes: number): Promise<void> {
    while ((download?.bytes ?? 0) < bytes || (upload?.bytes ?? 0) < bytes) await sleep(20);
  }

  const onBoth = async (act: (link: string) => Promise<unknown>) => {
    for (const link of links) await act(link);
  };

  it(
    'go on when both links were silent',
    () =>
      goOnThrough(async () => {
        await onBoth(link => lab.cut(link, 'blackhole'));
        await sleep(longMs);
        await onBoth(link => lab.heal(link));
      }),
    400_000,
  );

  it(
    'go on over new addresses, when the old ones are gone',
    () =>
      goOnThrough(async () => {
        await onBoth(link => lab.cut(link, 'address'));
        await sleep(longMs);
        await onBoth(async link => {
          await lab.heal(link);
          await lab.renumber(link);
        });
      }),
    400_000,
  );

  it(
    'go on when something on the way resets all connections to the relay',
    () => goOnThrough(() => resetAll(lab)),
    400_000,
  );

  it(
    'go on when the gateway did not run for a while',
    () =>
      goOnThrough(async () => {
        process.kill(up.pid, 'SIGSTOP');
        await sleep(longMs);
        process.kill(up.pid, 'SIGCONT');
      }),
    400_000,
  );

  it(
    'go on when the laptop slept, and wakes up in another network',
    () =>
      goOnThrough(async () => {
        process.kill(up.pid, 'SIGSTOP');
        await onBoth(link => lab.cut(link, 'address'));
        await sleep(longMs);
        await onBoth(async link => {
          await lab.heal(link);
          await lab.renumber(link);
        });
        process.kill(up.pid, 'SIGCONT');
      }),
    400_000,
  );

  it(
    'go on when the relay did not run for a while',
    () =>
      goOnThrough(async () => {
        stage.relay.child.kill('SIGSTOP');
        await sleep(longMs);
        stage.relay.child.kill('SIGCONT');
      }),
    400_000,
  );

  it('are refused with the reason while there is no network, and begin within a second when there is one', async () => {
    const through = { lab, port: up.port };
    // Nobody has asked for it: it is not taken for reachable.
    const target = `${lab.addresses.origin}:443`;
    await onBoth(link => lab.cut(link, 'address'));
    try {
      await up.until(({ relay }) => relay?.reason?.startsWith('no path') === true);
      await expect(openTunnel(through, target)).rejects.toThrow(/ 50[24] /);
    } finally {
      await onBoth(link => lab.heal(link));
    }
    const begins = () =>
      openTunnel(through, target).then(
        socket => socket.destroy().destroyed,
        () => false,
      );
    await expect.poll(begins, { timeout: 5_000, interval: 50 }).toBe(true);
  }, 60_000);

  it(
    'go on while both links come and go',
    () =>
      goOnThrough(async () => {
        for (let time = 0; time < longMs / 2000; time++) {
          await lab.cut(links[time % 2] ?? 'a', 'carrier');
          await lab.cut(links[(time + 1) % 2] ?? 'b', 'blackhole');
          await sleep(1000);
          await onBoth(link => lab.heal(link));
          await sleep(1000);
        }
      }),
    400_000,
  );
});

/** Has the router answer all that is said between gateway and relay with a reset, for a moment. */
async function resetAll(lab: Lab): Promise<void> {
  const rules = `table inet resets {
    chain forward {
      type filter hook forward priority -5
      tcp sport 8443 reject with tcp reset
      tcp dport 8443 reject with tcp reset
    }
  }`;
  await lab.exec('router', ['nft', '-f', '-'], { input: rules });
  await sleep(200);
  await lab.exec('router', ['nft', 'delete', 'table', 'inet', 'resets']);
}
