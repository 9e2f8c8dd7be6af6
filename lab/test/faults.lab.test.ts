import type * as net from 'node:net';
import type { FaultKind, Lab } from '@manypath/lab';
import { info } from '@manypath/mptcp';
import { expect, test } from 'vitest';
import { setBlackholeRules } from '../src/faults.ts';
import { describeLab, echoServer, labFor, reach, roundTrip, until } from './support.ts';

/** How long nothing must come back before the link counts as cut: ten times a retransmission. */
const silence = 700;

const linkState = async (lab: Lab) =>
  (await lab.exec('client', ['ip', '-br', 'link', 'show', 'dev', 'a'])).stdout;
const addresses = async (lab: Lab) =>
  (await lab.exec('client', ['ip', '-br', 'addr', 'show', 'dev', 'a'])).stdout;
const routes = async (lab: Lab) =>
  (await lab.exec('client', ['sh', '-c', 'ip route show dev a; ip -6 route show dev a proto boot'])).stdout;

async function echoOver(lab: Lab, port: number, device: string, host?: string): Promise<net.Socket> {
  const socket = await reach(lab, { port, device, ...(host === undefined ? {} : { host }) });
  expect(await roundTrip(socket, 2000)).toBeLessThan(2000);
  return socket;
}

describeLab('faults of a link', () => {
  test.each<FaultKind>(['blackhole', 'carrier', 'admin', 'address'])(
    '%s stops IPv4 and IPv6 on its link alone, and heals',
    async kind => {
      const lab = await labFor();
      const port = await echoServer(lab);
      const cut = [await echoOver(lab, port, 'a'), await echoOver(lab, port, 'a', lab.addresses.origin6)];
      const other = await echoOver(lab, port, 'b');
      const before = { routes: await routes(lab), addresses: await addresses(lab) };

      await lab.cut('a', kind);
      expect(lab.link('a').faults).toEqual([kind]);
      const answers = await Promise.all(cut.map(socket => roundTrip(socket, silence)));
      expect(answers).toEqual([undefined, undefined]);
      expect(await roundTrip(other, 2000)).toBeLessThan(2000);

      await lab.heal('a');
      expect(lab.link('a').faults).toEqual([]);
      await echoOver(lab, port, 'a');
      await echoOver(lab, port, 'a', lab.addresses.origin6);
      expect(await routes(lab)).toBe(before.routes);
      // The link-local address comes back by itself, a moment later.
      await until(async () => (await addresses(lab)) === before.addresses);
    },
  );

  test('blackhole is silent: carrier, addresses, routes and neighbours stay', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    const before = [await linkState(lab), await addresses(lab), await routes(lab)];
    await lab.cut('a', 'blackhole');
    expect([await linkState(lab), await addresses(lab), await routes(lab)]).toEqual(before);
    const refused = await reach(lab, { port, device: 'a', timeout: silence }).catch((error: Error) => error);
    expect(refused).toMatchObject({ code: 'MPTCP_CONNECT_TIMEOUT' });
  });

  test('carrier takes the carrier and leaves the interface up', async () => {
    const lab = await labFor();
    await lab.cut('a', 'carrier');
    expect(await linkState(lab)).toContain('NO-CARRIER');
    expect(await linkState(lab)).toContain('UP');
    expect(await addresses(lab)).toContain(lab.addresses.clientA);
  });

  test('carrier is seen on a delayed link too, and comes back', async () => {
    const lab = await labFor({ links: [{ name: 'a', delayMs: 5 }, { name: 'b' }] });
    const port = await echoServer(lab);
    await lab.cut('a', 'carrier');
    expect(await linkState(lab)).toContain('NO-CARRIER');
    await lab.heal('a');
    expect(await linkState(lab)).toContain('LOWER_UP');
    expect(await roundTrip(await echoOver(lab, port, 'a'), 2000)).toBeGreaterThan(9);
  });

  test('admin sets the interface down', async () => {
    const lab = await labFor();
    await lab.cut('a', 'admin');
    expect(await linkState(lab)).not.toMatch(/[<,]UP/);
  });

  test('address takes both addresses and the routes with them, and leaves the carrier', async () => {
    const lab = await labFor();
    await lab.cut('a', 'address');
    expect(await linkState(lab)).toContain('LOWER_UP');
    expect(await addresses(lab)).not.toContain('10.77.');
    expect(await addresses(lab)).not.toContain('fd77:');
    expect(await routes(lab)).not.toContain('10.77.');
  });

  test('strip makes a new Multipath TCP connection fall back, on its link alone', async () => {
    const lab = await labFor();
    const port = await echoServer(lab, 'originMptcp');
    const multipathOver = async (device: string, host: string) => {
      const socket = await reach(lab, { host, port, device, mptcp: true });
      expect(await roundTrip(socket, 2000)).toBeLessThan(2000);
      return info(socket).multipath;
    };
    const { originMptcp, originMptcp6 } = lab.addresses;
    expect(await multipathOver('a', originMptcp)).toBe(true);
    await lab.cut('a', 'strip');
    expect(await multipathOver('a', originMptcp)).toBe(false);
    expect(await multipathOver('a', originMptcp6)).toBe(false);
    expect(await multipathOver('b', originMptcp)).toBe(true);
    await lab.heal('a');
    expect(await multipathOver('a', originMptcp)).toBe(true);
  });

  test('loss loses about as many packets as it says', async () => {
    const lab = await labFor({ links: [{ name: 'a', rateMbit: null, delayMs: 0.1 }, { name: 'b' }] });
    await lab.cut('a', 'loss', { lossPercent: 20 });
    const answered = async () => {
      const ping = `
        const socket = require('node:dgram').createSocket('udp4');
        let answers = 0;
        socket.on('message', () => answers++);
        let sent = 0;
        const timer = setInterval(() => {
          for (let n = 0; n < 20; n++) socket.send('x', 9, '${lab.addresses.origin}');
          if ((sent += 20) < 1000) return;
          clearInterval(timer);
          setTimeout(() => { console.log(answers); socket.close(); }, 200);
        }, 5);`;
      return Number((await lab.exec('client', [process.execPath, '-e', ping])).stdout);
    };
    const echo = lab.spawn(
      'origin',
      [
        process.execPath,
        '-e',
        `const s = require('node:dgram').createSocket('udp4');
         s.on('message', (m, from) => s.send(m, from.port, from.address));
         s.bind(9, () => console.log('up'));`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise(resolve => echo.stdout?.once('data', resolve));
    // Both ways: 0.8 × 0.8 of 1000 come back, give or take five standard deviations.
    const some = await answered();
    expect(some).toBeGreaterThan(640 - 76);
    expect(some).toBeLessThan(640 + 76);
    await lab.heal('a');
    expect(await answered()).toBe(1000);
  });

  test('faults add up, and heal ends all of them', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    for (const kind of ['blackhole', 'strip', 'address', 'admin', 'carrier'] as const)
      await lab.cut('a', kind);
    expect(lab.link('a').faults).toHaveLength(5);
    await lab.heal('a');
    await echoOver(lab, port, 'a');
    const { stdout } = await lab.exec('router', ['nft', 'list', 'ruleset']);
    expect(stdout.trim()).toBe('');
  });
});

describeLab('links that come and go', () => {
  test('a link can be plugged in and unplugged, and the others do not notice', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    const first = await echoOver(lab, port, 'a');
    const added = await lab.addLink({ name: 'usb', device: 'enx0', rateMbit: 5 });
    expect(added).toMatchObject({ device: 'enx0', metric: 300, shape: { rateMbit: 5, uploadMbit: 5 } });
    await echoOver(lab, port, 'enx0');
    await lab.removeLink('usb');
    expect((await lab.exec('client', ['ip', '-br', 'link'])).stdout).not.toContain('enx0');
    expect(await roundTrip(first, 2000)).toBeLessThan(2000);
    expect(() => lab.link('usb')).toThrow(expect.objectContaining({ code: 'MANYPATH_LAB_UNKNOWN' }));
    const again = await lab.addLink({ name: 'usb', device: 'enx0', metric: null });
    expect(again.address).not.toBe(added.address);
    expect((await lab.exec('client', ['ip', 'route', 'show', 'default', 'dev', 'enx0'])).stdout).toBe('');
    await expect(lab.addLink({ name: 'usb' })).rejects.toMatchObject({ code: 'MANYPATH_LAB_NAME_TAKEN' });
  });

  test('renumbering gives new addresses that work, and takes the old ones', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    const old = lab.link('a');
    const now = await lab.renumber('a');
    expect(now.address).not.toBe(old.address);
    expect(lab.addresses.clientA).toBe(now.address);
    const text = await addresses(lab);
    expect(text).toContain(now.address);
    expect(text).not.toContain(`${old.address}/`);
    await echoOver(lab, port, 'a');
    await echoOver(lab, port, 'a', lab.addresses.origin6);
  });
});

describeLab('without nftables', () => {
  test('a blackhole is made of routing rules, as silent and as easily healed', async () => {
    const lab = await labFor();
    const port = await echoServer(lab);
    const sockets = [await echoOver(lab, port, 'a'), await echoOver(lab, port, 'a', lab.addresses.origin6)];
    await setBlackholeRules(lab.namespaces.router, { name: 'a', index: 1 }, true);
    expect(await Promise.all(sockets.map(socket => roundTrip(socket, silence)))).toEqual([
      undefined,
      undefined,
    ]);
    await echoOver(lab, port, 'b');
    await setBlackholeRules(lab.namespaces.router, { name: 'a', index: 1 }, false);
    await echoOver(lab, port, 'a');
    expect((await lab.exec('router', ['sh', '-c', 'ip rule; ip -6 rule'])).stdout).not.toContain('blackhole');
  });
});
