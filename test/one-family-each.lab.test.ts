import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import type { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';
import { TwoLinks } from './support/two-links.ts';

const title = 'one link of IPv4 and one of IPv6, with a relay that has both';

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  const relayName = 'relay.manypath.test';
  const folder = temporaryFolder();
  const hosts = join(folder.path, 'hosts');
  let stage: TwoLinks;
  let lab: Lab;
  beforeAll(async () => {
    stage = await TwoLinks.create({ relayName });
    lab = stage.lab;
    await leaveOneFamilyEach();
    writeFileSync(
      hosts,
      `127.0.0.1 localhost\n${lab.addresses.relay} ${relayName}\n${lab.addresses.relay6} ${relayName}\n`,
    );
  });
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function leaveOneFamilyEach(): Promise<void> {
    await lab.exec('client', ['ip', '-6', 'addr', 'flush', 'dev', 'a', 'scope', 'global']);
    await lab.exec('client', ['ip', '-4', 'addr', 'flush', 'dev', 'b']);
  }

  const lanes = ({ relay: told }: StatusDocument) => told?.lanes ?? [];
  const usesBoth = (status: StatusDocument) =>
    status.paths.every(({ downMbps }) => downMbps !== null) &&
    lanes(status).some(({ multipath }) => multipath);

  for (const link of ['a', 'b']) {
    it(`carry every lane together, and go on when link ${link} falls silent`, async () => {
      // A gateway whose hosts file knows the relay.
      const mount = `mount --bind ${hosts} /etc/hosts && exec "$@"`;
      await using up = await stage.startGateway({ before: ['unshare', '--mount', 'sh', '-c', mount, 'sh'] });
      await up.until(usesBoth);
      const counted = () => ['a', 'b'].map(name => lab.counters(name).toClient);
      const before = counted();
      const running = up.download(12_000_000);
      const haveCarried = () => counted().every((bytes, index) => bytes - (before[index] ?? 0) > 800_000);
      while (!haveCarried()) await sleep(20);
      await lab.cut(link, 'blackhole');
      try {
        await up.until(status => lanes(status).every(({ multipath }) => !multipath));
        for (const { subflows } of lanes(await up.status())) expect(subflows.length).toBeLessThan(2);
        expect((await running).size).toBe(12_000_000);
      } finally {
        await lab.heal(link);
        await leaveOneFamilyEach();
      }
    });
  }
});
