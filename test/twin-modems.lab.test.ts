import { setTimeout as sleep } from 'node:timers/promises';
import type { StatusDocument } from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { Lab } from '@manypath/lab';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningManypath, startManypath, temporaryFolder } from './support/manypath.ts';
import { whyNoLab } from './support/requirements.ts';

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
  const [relayState, state] = [temporaryFolder(), temporaryFolder()];
  let lab: Lab;
  let relay: RunningManypath;
  let up: RunningManypath;
  let client: ControlClient;
  beforeAll(async () => {
    lab = await Lab.create({
      links: [
        { name: 'a', rateMbit: 20, delayMs: 5 },
        { name: 'b', rateMbit: 20, delayMs: 5 },
      ],
    });
    await lab.startOrigin('origin');
    await makeTwins(lab);
    const place = ['--listen', '0.0.0.0:8443', '--public', lab.addresses.relay, '--allow-private'];
    relay = await startManypath(['relay', '--json', ...place, '--state', relayState.path], command =>
      lab.spawn('relay', command),
    );
    const flags = ['--listen', '127.0.0.1:0', '--relay', String(relay.ready.pairing), '--state', state.path];
    up = await startManypath(['up', '--json', ...flags], command => lab.spawn('client', command));
    client = await ControlClient.connect(state.path);
  });
  afterAll(async () => {
    client.close();
    await up.stop();
    await relay.stop();
    await lab.destroy();
    relayState[Symbol.dispose]();
    state[Symbol.dispose]();
  });

  const status = (): Promise<StatusDocument> => client.status();
  async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) await sleep(50);
  }
  async function download(bytes: number): Promise<number> {
    const { port } = up.ready.proxy as { port: number };
    const proxy = ['--proxy', `http://127.0.0.1:${port}`, '--max-time', '40'];
    const written = ['--output', '/dev/null', '--write-out', '%{size_download}'];
    const url = `http://${lab.addresses.origin}/bytes/${bytes}`;
    const { stdout } = await lab.exec('client', ['curl', '--silent', ...proxy, ...written, url], {
      allowFailure: true,
    });
    return Number(stdout);
  }
  const pathsOfLanes = async () =>
    (await status()).relay?.lanes.map(({ subflows }) => subflows.map(({ path }) => path).sort()) ?? [];

  it('are told apart, and carry a lane together', async () => {
    await until(async () => (await status()).paths.every(({ downMbps }) => downMbps !== null));
    await until(async () => (await pathsOfLanes()).some(paths => paths.join() === 'a,b'));
    const before = ['a', 'b'].map(link => lab.counters(link).toClient);
    expect(await download(8_000_000)).toBe(8_000_000);
    for (const [index, link] of ['a', 'b'].entries()) {
      expect(lab.counters(link).toClient - (before[index] ?? 0)).toBeGreaterThan(300_000);
    }
  });

  for (const link of ['a', 'b']) {
    it(`are found out when ${link} falls silent: the download goes on, and it is used again when it is back`, async () => {
      await until(async () => (await pathsOfLanes()).some(paths => paths.join() === 'a,b'));
      const running = download(12_000_000);
      await sleep(500);
      await lab.cut(link, 'blackhole');
      await until(async () => (await status()).paths.find(({ name }) => name === link)?.health === 'dead');
      expect((await status()).paths.find(({ name }) => name !== link)?.health).toBe('up');
      for (const paths of await pathsOfLanes()) expect(paths).not.toContain(link);
      // The link is whole again; its own addresses in the lab stay away.
      await lab.exec('router', ['nft', 'delete', 'table', 'inet', `link_${link}`]);
      expect(await running).toBe(12_000_000);
      await until(async () => (await pathsOfLanes()).some(paths => paths.join() === 'a,b'));
    });
  }

  it('lose nothing of a download when one of them is pulled out', async () => {
    await until(async () => (await pathsOfLanes()).every(paths => paths.join() === 'a,b'));
    const before = lab.counters('b').toClient;
    const running = download(12_000_000);
    await until(() => lab.counters('b').toClient - before > 500_000);
    await lab.cut('b', 'carrier');
    await until(async () => (await pathsOfLanes()).every(paths => paths.join() === 'a'));
    expect(await running).toBe(12_000_000);
  });
});
