import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

const title = 'one link of IPv4 and one of IPv6, with a relay that has both';

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  const relayName = 'relay.manypath.test';
  const state = temporaryFolder();
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
    const place = ['--listen', '[::]:8443', '--public', relayName, '--allow-private'];
    relay = await startManypath(
      ['relay', '--json', ...place, '--state', join(state.path, 'relay')],
      command => lab.spawn('relay', command),
    );
    await lab.exec('client', ['ip', '-6', 'addr', 'flush', 'dev', 'a', 'scope', 'global']);
    await lab.exec('client', ['ip', '-4', 'addr', 'flush', 'dev', 'b']);
    writeFileSync(
      join(state.path, 'hosts'),
      `127.0.0.1 localhost\n${lab.addresses.relay} ${relayName}\n${lab.addresses.relay6} ${relayName}\n`,
    );
  });
  afterAll(async () => {
    await relay.stop();
    await lab.destroy();
    state[Symbol.dispose]();
  });

  /** A gateway whose hosts file knows the relay. */
  async function gateway() {
    const own = temporaryFolder();
    const flags = ['--listen', '127.0.0.1:0', '--relay', String(relay.ready.pairing), '--state', own.path];
    const mount = `mount --bind ${join(state.path, 'hosts')} /etc/hosts && exec "$@"`;
    const up = await startManypath(['up', '--json', ...flags], command =>
      lab.spawn('client', ['unshare', '--mount', 'sh', '-c', mount, 'sh', ...command]),
    );
    const client = await ControlClient.connect(own.path);
    const { port } = up.ready.proxy as { port: number };
    return {
      status: (): Promise<StatusDocument> => client.status(),
      async download(bytes: number): Promise<number> {
        const url = `http://${lab.addresses.origin}/bytes/${bytes}`;
        const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--max-time', '40'];
        const written = ['--output', '/dev/null', '--write-out', '%{size_download}'];
        const { stdout } = await lab.exec('client', ['curl', '--silent', ...proxy, ...written, url], {
          allowFailure: true,
        });
        return Number(stdout);
      },
      async [Symbol.asyncDispose]() {
        client.close();
        await up.stop();
        own[Symbol.dispose]();
      },
    };
  }

  async function until(condition: () => Promise<boolean>): Promise<void> {
    while (!(await condition())) await sleep(50);
  }

  const lanes = ({ relay: told }: StatusDocument) => told?.lanes ?? [];
  const usesBoth = async (up: { status(): Promise<StatusDocument> }) => {
    const status = await up.status();
    const isMeasured = status.paths.every(({ downMbps }) => downMbps !== null);
    return isMeasured && lanes(status).some(({ multipath }) => multipath);
  };

  for (const link of ['a', 'b']) {
    it(`carry every lane together, and go on when link ${link} falls silent`, async () => {
      await using up = await gateway();
      await until(() => usesBoth(up));
      const before = lab.counters('a').toClient;
      const beforeB = lab.counters('b').toClient;
      const running = up.download(12_000_000);
      await until(async () => lab.counters('a').toClient - before > 800_000);
      await until(async () => lab.counters('b').toClient - beforeB > 800_000);
      await lab.cut(link, 'blackhole');
      try {
        await until(async () => lanes(await up.status()).every(({ multipath }) => !multipath));
        for (const { subflows } of lanes(await up.status())) expect(subflows.length).toBeLessThan(2);
        expect(await running).toBe(12_000_000);
      } finally {
        await lab.heal(link);
        await lab.exec('client', ['ip', '-6', 'addr', 'flush', 'dev', 'a', 'scope', 'global']);
        await lab.exec('client', ['ip', '-4', 'addr', 'flush', 'dev', 'b']);
      }
    });
  }
});
