import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import type { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { whyNoLab } from './support/requirements.ts';
import { type LabGateway, TwoLinks } from './support/two-links.ts';

const title = 'two modems that give this host the same address';

/** Both links get one address and one router; behind them each is translated to an address of its own. */
async function makeTwins(lab: Lab): Promise<void> {
  const [own, router] = ['192.168.8.100', '192.168.8.1'];
  const in_ = async (role: 'client' | 'router', script: string) =>
    void (await lab.exec(role, ['sh', '-ec', script]));
  const rules: string[] = [];
  for (const [index, link] of ['a', 'b'].entries()) {
    const mark = index + 1;
    await in_(
      'client',
      `ip addr flush dev ${link} scope global
       ip addr add ${own}/24 dev ${link}
       ip route replace default via ${router} dev ${link} metric ${100 * mark}`,
    );
    await in_(
      'router',
      `ip addr flush dev link-${link} scope global
       ip addr add ${router}/24 dev link-${link}
       ip route add ${own}/32 dev link-${link} table ${100 + mark}
       ip rule add fwmark ${mark} pref ${50 + mark} lookup ${100 + mark}
       sysctl -qw net.ipv4.conf.link-${link}.rp_filter=0`,
    );
    rules.push(`iifname "link-${link}" ct mark set ${mark}`);
  }
  const nat = `table ip twins {
    chain marks { type filter hook prerouting priority -150; ${rules.join('; ')}; meta mark set ct mark; }
    chain out { type nat hook postrouting priority 100;
      ct mark 1 oifname != "link-a" snat to 10.199.0.1; ct mark 2 oifname != "link-b" snat to 10.199.0.2; }
    chain local { type route hook output priority -150; meta mark set ct mark; }
  }`;
  await in_('router', `sysctl -qw net.ipv4.conf.all.rp_filter=0; nft -f - <<'RULES'\n${nat}\nRULES`);
}

describe.skipIf(whyNoLab())(`${title}${whyNoLab() ? ` (skipped: ${whyNoLab()})` : ''}`, () => {
  let stage: TwoLinks;
  let lab: Lab;
  let up: LabGateway;
  beforeAll(async () => {
    stage = await TwoLinks.create();
    lab = stage.lab;
    await makeTwins(lab);
    up = await stage.startGateway();
  });
  afterAll(async () => {
    await up[Symbol.asyncDispose]();
    await stage[Symbol.asyncDispose]();
  });

  const pathsOfLanes = ({ relay }: StatusDocument) =>
    relay?.lanes.map(({ subflows }) => subflows.map(({ path }) => path).sort()) ?? [];

  it('are told apart, and carry a lane together', async () => {
    await up.untilMeasured();
    await up.until(status => pathsOfLanes(status).some(paths => paths.join() === 'a,b'));
    const before = ['a', 'b'].map(link => lab.counters(link).toClient);
    expect((await up.download(8_000_000)).size).toBe(8_000_000);
    for (const [index, link] of ['a', 'b'].entries()) {
      expect(lab.counters(link).toClient - (before[index] ?? 0)).toBeGreaterThan(300_000);
    }
  });

  for (const link of ['a', 'b']) {
    it(`are found out when ${link} falls silent: the download goes on, and it is used again when it is back`, async () => {
      await up.until(status => pathsOfLanes(status).some(paths => paths.join() === 'a,b'));
      const carriedBefore = lab.counters(link).toClient;
      const running = up.download(12_000_000);
      while (lab.counters(link).toClient - carriedBefore < 500_000) await sleep(20);
      await lab.cut(link, 'blackhole');
      await up.until(({ paths }) => paths.some(({ name, health }) => name === link && health === 'dead'));
      expect((await up.path(link === 'a' ? 'b' : 'a'))?.health).toBe('up');
      for (const paths of pathsOfLanes(await up.status())) expect(paths).not.toContain(link);
      // The link is whole again; its own addresses in the lab stay away.
      await lab.exec('router', ['nft', 'delete', 'table', 'inet', `link_${link}`]);
      expect((await running).size).toBe(12_000_000);
      await up.until(status => pathsOfLanes(status).some(paths => paths.join() === 'a,b'));
    });
  }

  it('lose nothing of a download when one of them is pulled out', async () => {
    await up.until(status => pathsOfLanes(status).every(paths => paths.join() === 'a,b'));
    const before = lab.counters('b').toClient;
    const running = up.download(12_000_000);
    while (lab.counters('b').toClient - before < 500_000) await sleep(20);
    await lab.cut('b', 'carrier');
    await up.until(status => pathsOfLanes(status).every(paths => paths.join() === 'a'));
    expect((await running).size).toBe(12_000_000);
  });
});
