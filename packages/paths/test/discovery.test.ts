import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceAddress, Link, Route } from '@manypath/mptcp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { discoverPaths } from '../src/discovery/discover-paths.ts';
import { pathKind } from '../src/discovery/path-kind.ts';
import { rankAddresses } from '../src/discovery/rank-addresses.ts';
import { isWayOut } from '../src/discovery/way-out.ts';

function link(index: number, name: string, more: Partial<Link> = {}): Link {
  return {
    index,
    name,
    type: 'ethernet',
    kind: undefined,
    up: true,
    running: true,
    carrier: true,
    operState: 'up',
    noArp: false,
    pointToPoint: false,
    mtu: 1500,
    address: undefined,
    master: undefined,
    parent: undefined,
    peerNamespace: undefined,
    ...more,
  } as Link;
}

type Flags = Partial<DeviceAddress['flags']>;

function address(text: string, flags: Flags = {}, more: Partial<DeviceAddress> = {}): DeviceAddress {
  return {
    family: text.includes(':') ? 6 : 4,
    address: text,
    prefixLength: text.includes(':') ? 64 : 24,
    peer: undefined,
    scope: 'global',
    index: 2,
    device: 'eth0',
    label: undefined,
    flags: {
      temporary: false,
      secondary: false,
      deprecated: false,
      tentative: false,
      duplicate: false,
      optimistic: false,
      permanent: false,
      noPrefixRoute: false,
      ...flags,
    },
    validSeconds: Number.POSITIVE_INFINITY,
    preferredSeconds: Number.POSITIVE_INFINITY,
    protocol: undefined,
    ...more,
  };
}

function defaultRoute(index: number, gateway: string | undefined, more: Partial<Route> = {}): Route {
  const family = gateway?.includes(':') ? 6 : 4;
  return {
    family,
    destination: family === 6 ? '::/0' : '0.0.0.0/0',
    type: 'unicast',
    gateway,
    index,
    metric: 100,
    nexthops: [],
    ...more,
  } as unknown as Route;
}

const ranked = (...addresses: DeviceAddress[]): string[] =>
  rankAddresses(addresses).map(({ address }) => address);

describe('of the addresses of an interface', () => {
  it('a temporary one is begun from before the one it hides, and the one that lasts longest first', () => {
    expect(
      ranked(
        address('2001:db8::1'),
        address('2001:db8::aaaa', { temporary: true }, { preferredSeconds: 100 }),
        address('2001:db8::bbbb', { temporary: true }, { preferredSeconds: 5000 }),
      ),
    ).toEqual(['2001:db8::bbbb', '2001:db8::aaaa', '2001:db8::1']);
  });

  it('a deprecated one keeps its connections, after all others', () => {
    expect(ranked(address('2001:db8::1', { deprecated: true }), address('2001:db8::2'))).toEqual([
      '2001:db8::2',
      '2001:db8::1',
    ]);
  });

  it('one family may be all deprecated: nothing begins from it', () => {
    expect(ranked(address('2001:db8::1', { deprecated: true }), address('192.0.2.1'))).toEqual(['192.0.2.1']);
  });

  it('a unique local one comes after a global one, and serves where there is no other', () => {
    expect(ranked(address('fd00::1'), address('2001:db8::1'))).toEqual(['2001:db8::1', 'fd00::1']);
    expect(ranked(address('fd00::1'))).toEqual(['fd00::1']);
  });

  it('link-local ones, doubles and tentative ones are not used; an optimistic one is', () => {
    expect(
      ranked(
        address('fe80::1', {}, { scope: 'link' }),
        address('2001:db8::1', { duplicate: true }),
        address('2001:db8::2', { tentative: true }),
        address('2001:db8::3', { tentative: true, optimistic: true }),
      ),
    ).toEqual(['2001:db8::3']);
  });

  it('the first IPv4 one of a network comes before further ones, and IPv4 before IPv6', () => {
    expect(
      ranked(address('2001:db8::1'), address('192.0.2.9', { secondary: true }), address('192.0.2.1')),
    ).toEqual(['192.0.2.1', '192.0.2.9', '2001:db8::1']);
  });
});

describe('a way out of the host', () => {
  it.each(['eth0', 'wlan0', 'enx001122334455', 'wwan0', 'usb0', 'br0', 'eth0.100'])('may be %s', name => {
    expect(isWayOut(link(1, name))).toBe(true);
  });

  it.each([
    ['wg0', 'wireguard'],
    ['mullvad', 'wireguard'],
    ['work', 'tun'],
    ['gre1', 'gre'],
    ['xfrm0', 'xfrm'],
    ['spare', 'dummy'],
    ['docker0', 'bridge'],
    ['br-0123456789ab', 'bridge'],
    ['veth0a1b2c3', 'veth'],
  ])('is none: %s of kind %s', (name, kind) => {
    expect(isWayOut(link(1, name, { kind }))).toBe(false);
  });

  it('is no tunnel that has no kind', () => {
    expect(isWayOut(link(1, 'sit0', { type: 'tunnel' }))).toBe(false);
  });
});

describe('a path', () => {
  const tables = (more: Partial<Parameters<typeof discoverPaths>[0]>) => ({
    links: [link(2, 'eth0')],
    addresses: [address('192.0.2.1')],
    routes: [defaultRoute(2, '192.0.2.254')],
    ...more,
  });

  it('has an address and a default route of the same family', () => {
    expect(discoverPaths(tables({}))).toMatchObject([
      { name: 'eth0', network: 'eth0 via 192.0.2.254', addresses: [{ gateway: '192.0.2.254' }] },
    ]);
    expect(discoverPaths(tables({ addresses: [address('2001:db8::1')] }))).toEqual([]);
    expect(discoverPaths(tables({ addresses: [] }))).toEqual([]);
    expect(discoverPaths(tables({ routes: [] }))).toEqual([]);
  });

  it('needs no router where the world is at the other end of the link', () => {
    const routes = [defaultRoute(2, undefined)];
    const modem = link(2, 'wwan0', { pointToPoint: true, noArp: true, type: 'raw-ip' });
    expect(discoverPaths(tables({ links: [modem], routes }))).toMatchObject([
      { name: 'wwan0', network: 'wwan0', addresses: [{ gateway: null }] },
    ]);
    expect(discoverPaths(tables({ routes }))).toEqual([]);
  });

  it('is told apart by the name of its wireless network', () => {
    const wirelessNames = new Map([[2, 'Café']]);
    expect(discoverPaths(tables({ wirelessNames }))[0]?.network).toBe('“Café” via 192.0.2.254');
  });

  it('is left out when it is a VPN, unless it is named', () => {
    const vpn = tables({ links: [link(2, 'wg0', { kind: 'wireguard' })] });
    expect(discoverPaths(vpn)).toEqual([]);
    expect(discoverPaths(vpn, ['wg0'])).toHaveLength(1);
  });

  it('is none without carrier, or switched off', () => {
    expect(discoverPaths(tables({ links: [link(2, 'eth0', { carrier: false })] }))).toEqual([]);
    expect(discoverPaths(tables({ links: [link(2, 'eth0', { up: false })] }))).toEqual([]);
  });

  it('is one of two in the same network', () => {
    const paths = discoverPaths({
      links: [link(2, 'eth0'), link(3, 'wlan0')],
      addresses: [address('192.0.2.1'), address('192.0.2.2', {}, { index: 3, device: 'wlan0' })],
      routes: [defaultRoute(2, '192.0.2.254'), defaultRoute(3, '192.0.2.254', { metric: 600 })],
    });
    expect(paths.map(({ name }) => name)).toEqual(['eth0', 'wlan0']);
  });
});

describe('the kind of an interface', () => {
  /** A /sys with one device in it. */
  function sysfs({
    driver,
    uevent = '',
    wireless = false,
  }: {
    driver?: string;
    uevent?: string;
    wireless?: boolean;
  }) {
    const root = mkdtempSync(join(tmpdir(), 'manypath-sysfs-'));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const folder = join(root, 'class/net/x0');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'uevent'), uevent);
    if (wireless) mkdirSync(join(folder, 'wireless'));
    if (driver !== undefined) {
      mkdirSync(join(folder, 'device'));
      symlinkSync(`../../../../bus/drivers/${driver}`, join(folder, 'device/driver'));
    }
    return root;
  }

  it.each([
    ['ethernet', { driver: 'e1000e' }],
    ['ethernet', { driver: 'r8152' }],
    ['usb', { driver: 'rndis_host' }],
    ['usb', { driver: 'ipheth' }],
    ['cellular', { driver: 'qmi_wwan' }],
    ['cellular', { driver: 'foo', uevent: 'DEVTYPE=wwan\nINTERFACE=x0\n' }],
    ['wifi', { driver: 'iwlwifi', uevent: 'DEVTYPE=wlan\n' }],
    ['wifi', { driver: 'brcmfmac', wireless: true }],
    ['virtual', {}],
  ] as const)('is %s for %j', (kind, device) => {
    expect(pathKind({ name: 'x0', kind: undefined }, sysfs(device))).toBe(kind);
  });

  it('is virtual for what the kernel made up, and unknown for what it does not list', () => {
    expect(pathKind({ name: 'x0', kind: 'veth' }, sysfs({}))).toBe('virtual');
    expect(pathKind({ name: 'y0', kind: undefined }, sysfs({}))).toBe('unknown');
  });
});
