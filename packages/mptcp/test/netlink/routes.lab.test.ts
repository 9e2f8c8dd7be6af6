import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { RouteSocket, routeProtocols } from '../../src/netlink/index.ts';
import { describeLab, ipJson, makeTwoLinks, run, type TwoLinks } from './support.ts';

interface IpLink {
  ifindex: number;
  ifname: string;
  mtu: number;
  address: string;
  flags: string[];
  operstate: string;
  linkinfo?: { info_kind?: string };
  stats64: { rx: { bytes: number; packets: number }; tx: { bytes: number; packets: number } };
}
interface IpAddress {
  ifname: string;
  addr_info: {
    family: string;
    local: string;
    prefixlen: number;
    scope: string;
    address?: string;
    tentative?: boolean;
    deprecated?: boolean;
    dynamic?: boolean;
    valid_life_time: number;
  }[];
}
interface IpRoute {
  type: string;
  dst: string;
  gateway?: string;
  dev?: string;
  protocol: string;
  scope?: string;
  metric?: number;
  prefsrc?: string;
  table?: string;
  nexthops?: { gateway?: string; dev: string; weight: number }[];
}
interface IpRule {
  priority: number;
  src: string;
  srclen?: number;
  dst?: string;
  dstlen?: number;
  fwmark?: string;
  iif?: string;
  oif?: string;
  table?: string;
  action?: string;
}

const tableNumbers: Record<string, number> = { default: 253, main: 254, local: 255 };

describeLab('rtnetlink against the tool ip', () => {
  let links: TwoLinks;
  let socket: RouteSocket;

  beforeAll(() => {
    links = makeTwoLinks();
    run(`ip -n ${links.client} tuntap add t0 mode tun`);
    socket = RouteSocket.open({ namespace: links.client });
    return () => socket.close();
  });

  test('lists the same links', () => {
    const expected = ipJson<IpLink[]>(links.client, '-d -s link');
    const found = socket.links();
    expect(
      found.map(link => ({
        index: link.index,
        name: link.name,
        mtu: link.mtu,
        address: link.address,
        up: link.up,
        running: link.running || !link.up,
        kind: link.kind,
      })),
    ).toEqual(
      expected.map(link => ({
        index: link.ifindex,
        name: link.ifname,
        mtu: link.mtu,
        address: link.address,
        up: link.flags.includes('UP'),
        running: link.flags.includes('LOWER_UP') || !link.flags.includes('UP'),
        kind: link.linkinfo?.info_kind,
      })),
    );
    expect(found.find(({ name }) => name === 'lo')?.type).toBe('loopback');
    expect(found.find(({ name }) => name === 'a0')).toMatchObject({
      type: 'ethernet',
      kind: 'veth',
      carrier: true,
      operState: 'up',
    });
    expect(found.find(({ name }) => name === 't0')).toMatchObject({
      kind: 'tun',
      pointToPoint: true,
      noArp: true,
    });
  });

  test('counts the bytes that are sent', () => {
    const before = socket.link('a0')?.statistics;
    const send = 'for i in 1 2 3; do head -c 1000 /dev/zero > /dev/udp/10.77.1.2/9; done';
    execFileSync('ip', ['netns', 'exec', links.client, 'bash', '-c', send]);
    const after = socket.link('a0')?.statistics;
    const oracle = ipJson<IpLink[]>(links.client, '-s link show dev a0')[0]?.stats64;
    expect((after?.bytesOut ?? 0) - (before?.bytesOut ?? 0)).toBeGreaterThanOrEqual(3 * 1042);
    // Neighbour discovery may send a packet between the two readings, so the tool's is an upper bound.
    expect(after?.bytesOut).toBeLessThanOrEqual(oracle?.tx.bytes ?? 0);
    expect(after?.packetsOut).toBeLessThanOrEqual(oracle?.tx.packets ?? 0);
    expect(after?.bytesIn).toBeLessThanOrEqual(oracle?.rx.bytes ?? 0);
    expect(after?.packetsIn).toBeGreaterThanOrEqual(before?.packetsIn ?? Number.POSITIVE_INFINITY);
  });

  test('tells a link without carrier and a link that is off', () => {
    run(`ip -n ${links.server} link set b1 down`);
    expect(socket.link('b0')).toMatchObject({ up: true, running: false, carrier: false });
    run(`ip -n ${links.server} link set b1 up`);
    socket.setLink('b0', { up: false, mtu: 1400 });
    expect(socket.link('b0')).toMatchObject({ up: false, mtu: 1400 });
    socket.setLink('b0', { up: true, mtu: 1500 });
    // Switching a link off takes its IPv6 addresses away.
    socket.addAddress('b0', { address: 'fd77:2::1/64', noDuplicateDetection: true });
    expect(socket.link('b0')).toMatchObject({ up: true, running: true, carrier: true, mtu: 1500 });
    expect(socket.link('nothing')).toBeUndefined();
  });

  test('lists the same addresses', () => {
    run(`ip -n ${links.client} addr add 10.77.3.1/24 dev a0`);
    run(`ip -n ${links.client} addr add 10.77.1.9/24 dev a0`);
    run(`ip -n ${links.client} addr add fd77:9::1/64 dev a0 nodad valid_lft 900 preferred_lft 0`);
    run(`ip -n ${links.client} addr add 10.88.0.1 peer 10.88.0.2/32 dev a0`);
    const expected = ipJson<IpAddress[]>(links.client, 'addr').flatMap(({ ifname, addr_info }) =>
      addr_info.map(info => ({
        device: ifname,
        family: info.family === 'inet' ? 4 : 6,
        address: info.local,
        peer: info.address,
        prefixLength: info.prefixlen,
        scope: info.scope,
        deprecated: info.deprecated ?? false,
      })),
    );
    const found = socket.addresses();
    expect(
      new Set(
        found.map(a =>
          JSON.stringify([
            a.device,
            a.family,
            a.address,
            a.peer,
            a.prefixLength,
            a.scope,
            a.flags.deprecated,
          ]),
        ),
      ),
    ).toEqual(
      new Set(
        expected.map(a =>
          JSON.stringify([a.device, a.family, a.address, a.peer, a.prefixLength, a.scope, a.deprecated]),
        ),
      ),
    );
    expect(found.find(({ address }) => address === '10.77.1.9')?.flags.secondary).toBe(true);
    const ageing = found.find(({ address }) => address === 'fd77:9::1');
    expect(ageing).toMatchObject({ preferredSeconds: 0, flags: { deprecated: true, permanent: false } });
    expect(ageing?.validSeconds).toBeGreaterThan(800);
    expect(ageing?.validSeconds).toBeLessThanOrEqual(900);
    expect(found.find(({ address }) => address === '10.77.1.1')?.validSeconds).toBe(Number.POSITIVE_INFINITY);
  });

  test('adds and removes addresses', () => {
    for (const address of ['10.99.0.1/24', 'fd99::1/64']) {
      socket.addAddress('a0', { address, noDuplicateDetection: true });
      expect(socket.addresses().map(a => `${a.address}/${a.prefixLength}`)).toContain(address);
      expect(() => socket.addAddress('a0', { address })).toThrow(
        expect.objectContaining({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'EEXIST' }),
      );
      socket.removeAddress('a0', { address });
      expect(socket.addresses().map(a => `${a.address}/${a.prefixLength}`)).not.toContain(address);
      expect(() => socket.removeAddress('a0', { address })).toThrow(
        expect.objectContaining({ errnoName: 'EADDRNOTAVAIL' }),
      );
    }
  });

  test('lists the same routes in all tables', () => {
    run(`ip -n ${links.client} route add 192.0.2.0/24 via 10.77.1.2 metric 50 mtu 1300 initcwnd 20`);
    run(`ip -n ${links.client} route add default via 10.77.2.2 dev b0 table 5000 src 10.77.2.1 proto 99`);
    run(
      `ip -n ${links.client} route add 198.51.100.0/24 nexthop via 10.77.1.2 weight 3 nexthop via 10.77.2.2 weight 1`,
    );
    run(`ip -n ${links.client} route add blackhole 203.0.113.0/24`);
    run(`ip -n ${links.client} -6 route add default via fd77:1::2 dev a0 metric 7`);
    run(`ip -n ${links.client} -6 route add unreachable 2001:db8:dead::/48`);
    run(
      `ip -n ${links.client} -6 route add 2001:db8:2::/48 nexthop via fd77:1::2 nexthop via fd77:2::2 weight 2`,
    );
    run(`ip -n ${links.client} route add 192.0.2.128/25 via inet6 fd77:1::2 dev a0`);

    const protocols: Record<string, number> = { kernel: 2, boot: 3, static: 4, openr: 99 };
    for (const family of [4, 6] as const) {
      const expected = ipJson<IpRoute[]>(links.client, `-${family} -d route show table all`).filter(
        ({ type }) => type !== 'multicast',
      );
      const everywhere = family === 4 ? '0.0.0.0/0' : '::/0';
      const told = (parts: unknown[]): string => JSON.stringify(parts);
      const full = (dst: string): string =>
        dst === 'default' ? everywhere : dst.includes('/') ? dst : `${dst}/${family === 4 ? 32 : 128}`;
      const found = socket.routes({ family }).filter(({ type }) => type !== 'multicast');
      expect(
        found
          .map(r =>
            told([
              r.type,
              r.destination,
              r.gateway,
              r.device === 'lo' && r.type !== 'local' && r.type !== 'broadcast' ? undefined : r.device,
              r.protocol,
              r.metric || undefined,
              r.source,
              r.table,
              r.nexthops.map(n => [n.gateway, n.device, n.weight]),
            ]),
          )
          .sort(),
      ).toEqual(
        expected
          .map(r =>
            told([
              r.type,
              full(r.dst),
              r.gateway ?? (r as { via?: { host: string } }).via?.host,
              r.dev === 'lo' && r.type !== 'local' && r.type !== 'broadcast' ? undefined : r.dev,
              protocols[r.protocol] ?? Number(r.protocol),
              r.metric || undefined,
              r.prefsrc,
              tableNumbers[r.table ?? 'main'] ?? Number(r.table),
              (r.nexthops ?? []).map(n => [n.gateway, n.dev, n.weight]),
            ]),
          )
          .sort(),
      );
    }
    const [small] = socket.routes({ table: 5000 });
    expect(small).toMatchObject({ destination: '0.0.0.0/0', source: '10.77.2.1', protocol: 99, table: 5000 });
    expect(socket.routes().find(r => r.destination === '192.0.2.0/24')?.metrics).toMatchObject({
      mtu: 1300,
      initialWindow: 20,
    });
    expect(socket.routes({ table: 4711 })).toEqual([]);
  });

  test.each([
    { destination: 'default', gateway: '10.77.1.2', device: 'a0', table: 100, source: '10.77.1.1' },
    { destination: 'default', gateway: 'fd77:1::2', device: 'a0', table: 100, metric: 5 },
    { destination: 'default', family: 4, device: 'b0', table: 70_000 },
    { destination: 'default', family: 6, device: 'b0', table: 70_000 },
    {
      destination: '10.200.0.0/16',
      gateway: '10.77.2.2',
      table: 101,
      metrics: { mtu: 1280, initialWindow: 30 },
    },
    { destination: '10.201.0.7', type: 'blackhole' },
    { destination: '2001:db8:77::/48', type: 'unreachable', table: 102 },
    { destination: '172.31.0.0/16', gateway: '172.16.5.5', device: 'b0', onLink: true, table: 103 },
    {
      destination: '10.210.0.0/16',
      table: 104,
      nexthops: [
        { gateway: '10.77.1.2', weight: 4 },
        { gateway: '10.77.2.2', device: 'b0' },
      ],
    },
  ] as const)('adds $destination to table $table as it was meant, and removes it', route => {
    const other = socket.routes().length;
    socket.addRoute(route);
    const ours = socket.routes().filter(({ protocol }) => protocol === routeProtocols.manypath);
    expect(ours).toHaveLength(1);
    expect(ours[0]?.table).toBe('table' in route ? route.table : 254);
    expect(ours[0]?.type).toBe('type' in route ? route.type : 'unicast');
    if ('gateway' in route) expect(ours[0]?.gateway).toBe(route.gateway);
    if ('device' in route) expect(ours[0]?.device).toBe(route.device);
    if ('source' in route) expect(ours[0]?.source).toBe(route.source);
    if ('metric' in route) expect(ours[0]?.metric).toBe(route.metric);
    if ('metrics' in route) expect(ours[0]?.metrics).toMatchObject(route.metrics);
    if ('nexthops' in route) {
      expect(ours[0]?.nexthops.map(hop => [hop.gateway, hop.weight])).toEqual([
        ['10.77.1.2', 4],
        ['10.77.2.2', 1],
      ]);
    }
    const text = run(`ip -n ${links.client} -${ours[0]?.family} route show table ${ours[0]?.table} proto 77`);
    expect(
      text
        .trim()
        .split('\n')
        .filter(line => !line.startsWith('\t')),
    ).toHaveLength(1);
    expect(() => socket.addRoute(route)).toThrow(expect.objectContaining({ errnoName: 'EEXIST' }));
    socket.addRoute(route, { replace: true });
    socket.removeRoute(route);
    expect(() => socket.removeRoute(route)).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_FAILED',
        errnoName: expect.stringMatching(/ESRCH|ENOENT/),
      }),
    );
    expect(socket.routes()).toHaveLength(other);
  });

  test('does not remove a route that somebody else made', () => {
    run(`ip -n ${links.client} route add 10.220.0.0/16 via 10.77.1.2`);
    expect(() => socket.removeRoute({ destination: '10.220.0.0/16', gateway: '10.77.1.2' })).toThrow(
      expect.objectContaining({ errnoName: 'ESRCH' }),
    );
    socket.removeRoute({ destination: '10.220.0.0/16', gateway: '10.77.1.2', protocol: 0 });
  });

  test('tells why the kernel refuses a route', () => {
    expect(() => socket.addRoute({ destination: '10.230.0.0/16', gateway: '1.2.3.4' })).toThrow(
      expect.objectContaining({
        code: 'MPTCP_NETLINK_FAILED',
        errnoName: 'ENETUNREACH',
        kernelMessage: expect.stringMatching(/gateway/),
      }),
    );
    expect(() => socket.addRoute({ destination: '10.230.0.0/16', device: 'nope' })).toThrow(
      expect.objectContaining({ code: 'MPTCP_NETLINK_FAILED', errnoName: 'ENODEV' }),
    );
    expect(() => socket.addRoute({ destination: 'default', device: 'a0' })).toThrow(
      expect.objectContaining({ code: 'MPTCP_NETLINK_ARGUMENT' }),
    );
  });

  test('lists the same rules', () => {
    run(`ip -n ${links.client} rule add pref 100 from 10.77.1.1 lookup 100`);
    run(`ip -n ${links.client} rule add pref 101 to 192.0.2.0/24 fwmark 0x10/0xff lookup 70000`);
    run(`ip -n ${links.client} rule add pref 102 oif b0 lookup main suppress_prefixlength 0`);
    run(`ip -n ${links.client} rule add pref 103 iif a0 blackhole`);
    run(`ip -n ${links.client} -6 rule add pref 104 from fd77:1::/64 uidrange 5-9 lookup 100`);
    run(`ip -n ${links.client} rule add pref 105 ipproto tcp dport 80-90 lookup 100`);
    run(`ip -n ${links.client} rule add pref 106 not from 10.0.0.0/8 goto 32766`);
    for (const family of [4, 6] as const) {
      const expected = ipJson<IpRule[]>(links.client, `-${family} -N rule`);
      expect(
        socket
          .rules({ family })
          .map(r => [
            r.priority,
            r.from?.replace(/\/(32|128)$/, '') ?? 'all',
            r.to?.replace(/\/(32|128)$/, ''),
            r.iif,
            r.oif,
            r.fwmark,
            r.action === 'lookup' ? r.table : undefined,
          ]),
      ).toEqual(
        expected.map(r => [
          r.priority,
          r.srclen === undefined ? r.src : `${r.src}/${r.srclen}`,
          r.dst === undefined ? undefined : r.dstlen === undefined ? r.dst : `${r.dst}/${r.dstlen}`,
          r.iif,
          r.oif,
          r.fwmark === undefined ? undefined : Number(r.fwmark),
          r.table === undefined ? undefined : (tableNumbers[r.table] ?? Number(r.table)),
        ]),
      );
    }
    const byPriority = new Map(socket.rules().map(rule => [rule.priority, rule]));
    expect(byPriority.get(101)).toMatchObject({
      fwmark: 0x10,
      fwmask: 0xff,
      table: 70_000,
      to: '192.0.2.0/24',
    });
    expect(byPriority.get(102)).toMatchObject({ oif: 'b0', suppressPrefixLength: 0 });
    expect(byPriority.get(103)).toMatchObject({ iif: 'a0', action: 'blackhole' });
    expect(byPriority.get(104)).toMatchObject({ from: 'fd77:1::/64', uidRange: { first: 5, last: 9 } });
    expect(byPriority.get(105)).toMatchObject({ ipProtocol: 6, destinationPorts: { first: 80, last: 90 } });
    expect(byPriority.get(106)).toMatchObject({ invert: true, action: 'goto', target: 32_766 });
    expect(byPriority.get(100)?.suppressPrefixLength).toBeUndefined();
  });

  test.each([
    { from: '10.77.2.1', table: 200, priority: 900 },
    { from: 'fd77:2::1', table: 70_001, priority: 901 },
    { to: '198.51.100.0/24', fwmark: 7, fwmask: 15, table: 201, priority: 902 },
    { family: 6, oif: 'b0', table: 202, priority: 903 },
    { family: 4, iif: 'lo', action: 'unreachable', priority: 904, uidRange: { first: 3, last: 4 } },
    { family: 4, table: 254, suppressPrefixLength: 0, priority: 905 },
  ] as const)('adds rule $priority as it was meant, and removes it', rule => {
    const before = socket.rules();
    socket.addRule(rule);
    const ours = socket.rules().filter(({ protocol }) => protocol === routeProtocols.manypath);
    expect(ours).toHaveLength(1);
    const { family: _, from, ...rest } = { family: 4, from: undefined, ...rule };
    expect(ours[0]).toMatchObject(rest);
    expect(ours[0]?.from?.replace(/\/(32|128)$/, '')).toBe(from);
    expect(() => socket.addRule(rule)).toThrow(expect.objectContaining({ errnoName: 'EEXIST' }));
    socket.removeRule(rule);
    expect(() => socket.removeRule(rule)).toThrow(expect.objectContaining({ errnoName: 'ENOENT' }));
    expect(socket.rules()).toEqual(before);
  });

  describe('asked for a way', () => {
    test('answers as `ip route get` does', () => {
      socket.addRoute({ destination: 'default', gateway: '10.77.2.2', device: 'b0', table: 300 });
      socket.addRule({ from: '10.77.2.1', table: 300, priority: 50 });
      const oracle = ipJson<{ gateway: string; dev: string; prefsrc: string }[]>(
        links.client,
        'route get 8.8.8.8 from 10.77.2.1',
      )[0];
      expect(socket.routeTo('8.8.8.8', { from: '10.77.2.1' })).toMatchObject({
        destination: '8.8.8.8',
        device: oracle?.dev,
        gateway: oracle?.gateway,
        table: 300,
        type: 'unicast',
      });
      expect(socket.routeTo('10.77.1.2')).toMatchObject({
        device: 'a0',
        gateway: undefined,
        source: '10.77.1.1',
        table: 254,
      });
      expect(socket.routeTo('192.0.2.9')).toMatchObject({ gateway: '10.77.1.2', mtu: 1300 });
      expect(socket.routeTo('fd77:2::2')).toMatchObject({ device: 'b0', gateway: undefined });
      expect(socket.routeTo('2001:db8::1')).toMatchObject({ device: 'a0', gateway: 'fd77:1::2' });
      expect(socket.routeTo('10.77.1.1')).toMatchObject({ type: 'local', device: 'lo' });
      expect(socket.routeTo('10.77.1.2', { oif: 'b0' })).toMatchObject({ device: 'b0' });
      socket.removeRule({ from: '10.77.2.1', table: 300, priority: 50 });
    });

    test('has no answer where no packet would go', () => {
      expect(socket.routeTo('8.8.8.8')).toBeUndefined();
      expect(socket.routeTo('203.0.113.5')).toBeUndefined();
      expect(socket.routeTo('2001:db8:dead::1')).toBeUndefined();
      expect(socket.routeTo('10.77.1.2', { from: '9.9.9.9' })).toBeUndefined();
    });
  });

  test('is closed when it was closed', () => {
    const other = RouteSocket.open({ namespace: links.client });
    other.close();
    other.close();
    expect(() => other.links()).toThrow(expect.objectContaining({ code: 'MPTCP_NETLINK_CLOSED' }));
  });
});
