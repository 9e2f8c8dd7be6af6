import type { RouteAnswer } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import type { AskRoute } from '../src/dial/leads-out.ts';
import { parseInterfaceServers, parseResolvConf } from '../src/names/name-files.ts';
import { planLookup } from '../src/names/plan-lookup.ts';
import { outlook, pathNamed } from './support/outlooks.ts';

const a = outlook('a', { path: pathNamed('a', [4, 6], 1) });
const b = outlook('b', { path: pathNamed('b', [4], 2) });

function plan(
  servers: string[],
  ofPath: Record<string, string[]> = {},
  { outlooks = [a, b], askRoute }: { outlooks?: (typeof a)[]; askRoute?: AskRoute } = {},
): string[] {
  const known = new Map([a, b].map(({ path }) => [path.index, ofPath[path.name] ?? []] as const));
  return planLookup(outlooks, { servers, ofPath: known }, {}, askRoute).map(({ server, path }) =>
    server === undefined ? 'system' : `${server.address} over ${path?.name}`,
  );
}

function route(about: Partial<RouteAnswer>): RouteAnswer {
  return {
    destination: '198.51.100.1/32',
    type: 'unicast',
    device: 'a',
    index: 1,
    gateway: '10.0.1.1',
    source: undefined,
    table: 254,
    mtu: undefined,
    ...about,
  };
}

describe('the ways to look a name up', () => {
  it('are every server over every path, in turns', () => {
    expect(plan(['192.0.2.53', '192.0.2.54'])).toEqual([
      '192.0.2.53 over a',
      '192.0.2.53 over b',
      '192.0.2.54 over a',
      '192.0.2.54 over b',
    ]);
  });

  it('lead to a server on a network only over the path that is on it', () => {
    expect(plan(['10.0.1.1'])).toEqual(['10.0.1.1 over a', '10.0.2.1 over b']);
    expect(plan(['10.0.2.53', '10.0.1.1'])).toEqual(['10.0.1.1 over a', '10.0.2.53 over b']);
  });

  it('lead to the servers that each network told, and only if the path has their family', () => {
    expect(
      plan(['192.0.2.53'], { a: ['2001:db8::53', '10.0.1.1'], b: ['2001:db8::53', '10.0.2.1'] }),
    ).toEqual(['2001:db8::53 over a', '10.0.2.1 over b', '10.0.1.1 over a']);
    expect(plan(['192.0.2.53'], { a: ['fe80::1'] })).toEqual(['fe80::1%a over a', '192.0.2.53 over b']);
  });

  it("begin with systemd's resolver where that is the system's, and lead to what it would ask", () => {
    expect(plan(['127.0.0.53'], { a: ['10.0.1.1'], b: ['10.0.2.1'] })).toEqual([
      'system',
      '10.0.1.1 over a',
      '10.0.2.1 over b',
    ]);
    expect(plan(['127.0.0.53'])).toEqual(['system']);
  });

  it.each([
    ['there is one path', () => plan(['192.0.2.53'], {}, { outlooks: [a] })],
    ['no server is known', () => plan([])],
    ['another resolver runs on this machine', () => plan(['127.0.0.1'], { a: ['10.0.1.1'] })],
    [
      'everything goes through a VPN',
      () => plan(['192.0.2.53'], {}, { askRoute: () => route({ device: 'wg0', gateway: undefined }) }),
    ],
    [
      'the server is behind a VPN',
      () =>
        plan(
          ['10.8.0.1'],
          {},
          {
            askRoute: address => route(address === '10.8.0.1' ? { device: 'tun0', gateway: undefined } : {}),
          },
        ),
    ],
  ])('are those of the system alone when %s', (_, planned) => {
    expect(planned()).toEqual(['system']);
  });

  it('are tried in order of health, and never over a path that is not to be used', () => {
    const outlooks = [
      { ...a, health: 'dead' as const },
      b,
      outlook('c', { tier: 'never', path: pathNamed('c', [4], 3) }),
    ];
    expect(plan(['192.0.2.53'], {}, { outlooks })).toEqual(['192.0.2.53 over b', '192.0.2.53 over a']);
  });
});

describe('the files of the system', () => {
  it('name servers and domains', () => {
    const text = `# made by hand
nameserver 192.0.2.53
nameserver fe80::1%eth0 ; comment
nameserver nonsense
domain old.example
search Corp.example. lab.example
options edns0`;
    expect(parseResolvConf(text)).toEqual({
      servers: ['192.0.2.53', 'fe80::1'],
      searchDomains: ['corp.example', 'lab.example'],
    });
    expect(parseResolvConf('')).toEqual({ servers: [], searchDomains: [] });
  });

  it('name the servers of an interface in whatever way', () => {
    const resolved =
      '# This is private data. Do not parse.\nLLMNR=yes\nSERVERS=192.0.2.1:53 192.0.2.2#dns.example [2001:db8::1]:53 fe80::1%2\nDOMAINS=corp.example\n';
    expect(parseInterfaceServers(resolved)).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1', 'fe80::1']);
    expect(parseInterfaceServers('ADMIN_STATE=configured\nDNS=192.0.2.1 192.0.2.1\n')).toEqual(['192.0.2.1']);
    expect(parseInterfaceServers('[device]\nmanaged=1\nnameservers=192.0.2.1;192.0.2.2;\n')).toEqual([
      '192.0.2.1',
      '192.0.2.2',
    ]);
    expect(parseInterfaceServers('DNS=\nSERVERS=0.0.0.0 224.0.0.1 name\n')).toEqual([]);
  });
});
