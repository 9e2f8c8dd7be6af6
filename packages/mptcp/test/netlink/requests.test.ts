import { describe, expect, test } from 'vitest';
import { encodeAddress } from '../../src/netlink/addresses.ts';
import {
  diagStates,
  encodeDiagQuery,
  encodePairQuery,
  encodeTokenQuery,
} from '../../src/netlink/diag-codec.ts';
import { encodePathAddress, flagNames, flagsNumber } from '../../src/netlink/endpoints.ts';
import { encodeRouteQuestion } from '../../src/netlink/route-lookup.ts';
import { decodeRoute, encodeRoute, type RouteChange } from '../../src/netlink/routes.ts';
import { decodeRule, encodeRule, type RuleChange } from '../../src/netlink/rules.ts';
import { toHex } from './bytes.ts';

const wrong = expect.objectContaining({ code: 'MPTCP_NETLINK_ARGUMENT' });
const indexOf = (name: string): number => ({ a0: 2, b0: 3 })[name] ?? 0;
const nameOf = (index: number): string | undefined => ['', 'lo', 'a0', 'b0'][index];
const flat = (text: string): string => text.replace(/\s+/g, '');

describe('requests are written as the kernel reads them:', () => {
  test('an address of the path manager, with its port in the byte order of the host', () => {
    const bytes = encodePathAddress({
      address: '10.77.2.1',
      id: 5,
      port: 4711,
      flags: ['subflow', 'backup'],
      index: 3,
    }).finish();
    expect(toHex(bytes)).toBe(
      flat(
        `0600010002000000 0500020005000000 080003000a4d0201 0600050067120000 0800060006000000 0800070003000000`,
      ),
    );
    expect(toHex(encodePathAddress({ id: 5 }).finish())).toBe('0500020005000000');
    expect(toHex(encodePathAddress({ address: '::1' }).finish())).toBe(
      flat('060001000a000000 14000400 00000000000000000000000000000001'),
    );
  });

  test('a default route in a table of its own', () => {
    const route: RouteChange = {
      destination: 'default',
      gateway: '10.77.1.2',
      device: 'a0',
      source: '10.77.1.1',
      table: 300,
      metric: 5,
    };
    expect(toHex(encodeRoute(route, false, indexOf))).toBe(
      flat(`02000000 004d0001 00000000 08000f002c010000 0800060005000000 0800040002000000
        080007000a4d0101 080005000a4d0102`),
    );
    // Removal takes the route whatever its scope.
    expect(toHex(encodeRoute(route, true, indexOf)).slice(0, 24)).toBe('02000000004dff0100000000');
  });

  test('a rule by source', () => {
    expect(toHex(encodeRule({ from: '10.77.2.1', table: 300, priority: 900 }))).toBe(
      flat(`02002000 00000001 00000000 080002000a4d0201 0800060084030000 08000f002c010000 050015004d000000`),
    );
  });

  test('a question for sockets', () => {
    const listing = encodeDiagQuery({
      family: 4,
      protocol: 'mptcp',
      info: true,
      states: diagStates.established,
    });
    expect(toHex(listing)).toBe(flat(`02ff0200 02000000 ${'00'.repeat(48)} 0800030006010000`));
    expect(toHex(encodeDiagQuery({ family: 6, protocol: 'tcp', info: false }))).toBe(
      flat(`0a060000 bf0b0000 ${'00'.repeat(48)}`),
    );
    expect(toHex(encodeTokenQuery(0xf574b0e9))).toBe(
      flat(`02ff0200 ff0f0000 ${'00'.repeat(40)} e9b074f5 00000000 0800030006010000`),
    );
    const pair = encodePairQuery(
      { address: '127.0.0.1', port: 8118 },
      { address: '127.0.0.2', port: 443 },
      9,
    );
    expect(toHex(pair)).toBe(
      flat(`02060000 ff0f0000 1fb6 01bb 7f000001 ${'00'.repeat(12)} 7f000002 ${'00'.repeat(12)} 09000000
        ffffffff ffffffff`),
    );
  });

  test('a question for a way', () => {
    expect(toHex(encodeRouteQuestion('192.0.2.1', { from: '10.0.0.1', oif: 'a0', mark: 7 }, indexOf))).toBe(
      flat('02202000 00000000 00100000 08000100c0000201 080002000a000001 0800040002000000 0800100007000000'),
    );
  });

  test('an address with its broadcast address', () => {
    expect(toHex(encodeAddress(2, { address: '10.77.1.1/20' }))).toBe(
      flat('02140000 02000000 080002000a4d0101 080001000a4d0101 080004000a4d0fff'),
    );
    expect(toHex(encodeAddress(2, { address: '10.77.1.1/31' }))).not.toContain('0800 0400'.replace(' ', ''));
  });
});

describe('what is written is read as it was meant:', () => {
  test.each<RouteChange>([
    { destination: '0.0.0.0/0', gateway: '10.0.0.1', device: 'a0', table: 1_000_000, metric: 9 },
    { destination: '2001:db8::/32', gateway: 'fe80::1', device: 'b0', source: '2001:db8::7', protocol: 4 },
    { destination: '192.0.2.0/24', gateway: 'fe80::1', device: 'b0' },
    { destination: '10.0.0.0/8', type: 'unreachable' },
    {
      destination: '10.0.0.0/8',
      device: 'a0',
      onLink: true,
      metrics: { mtu: 1400, initialWindow: 10, congestion: 'cubic' },
    },
  ])('route %#', route => {
    const { destination, metrics, ...rest } = route;
    expect(decodeRoute(encodeRoute(route, false, indexOf), nameOf)).toMatchObject({
      destination,
      ...rest,
      metrics: metrics ?? {},
    });
  });

  test.each<RuleChange>([
    { from: '10.0.0.0/8', to: '192.0.2.1/32', priority: 1, table: 1_000_000, fwmark: 0xffff_ffff, fwmask: 1 },
    { from: '2001:db8::/32', table: 7, iif: 'lo', oif: 'b0', suppressPrefixLength: 0, protocol: 4 },
    { family: 6, action: 'prohibit', priority: 0, uidRange: { first: 0, last: 0xffff_fffe } },
  ])('rule %#', rule => {
    expect(decodeRule(encodeRule(rule))).toMatchObject(rule);
  });

  test('flags of endpoints', () => {
    for (let number = 0; number < 64; number++) expect(flagsNumber(flagNames(number))).toBe(number);
  });
});

describe('requests that cannot be meant are refused:', () => {
  test.each<[string, () => unknown]>([
    [
      'a default route of no family',
      () => encodeRoute({ destination: 'default', device: 'a0' }, false, indexOf),
    ],
    ['a route to a name', () => encodeRoute({ destination: 'example.org' }, false, indexOf)],
    ['a rule of no family', () => encodeRule({ table: 5 })],
    ['a rule of two families', () => encodeRule({ from: '10.0.0.1', to: '::1', table: 5 })],
    ['a rule against its family', () => encodeRule({ from: '10.0.0.1', family: 6, table: 5 })],
    ['a rule without a table', () => encodeRule({ from: '10.0.0.1' })],
    [
      'a nexthop without weight',
      () =>
        encodeRoute(
          { destination: '10.0.0.0/8', nexthops: [{ gateway: '10.0.0.1', weight: 0 }] },
          false,
          indexOf,
        ),
    ],
    ['an address without a prefix length', () => encodeAddress(2, { address: '10.0.0.1' })],
    [
      'an owner of two families',
      () => encodePairQuery({ address: '::1', port: 1 }, { address: '127.0.0.1', port: 1 }),
    ],
    [
      'an owner of a port too high',
      () => encodePairQuery({ address: '::1', port: 1 }, { address: '::1', port: 65_536 }),
    ],
    ['a way of two families', () => encodeRouteQuestion('::1', { from: '127.0.0.1' }, indexOf)],
  ])('%s', (_, make) => {
    expect(make).toThrow(wrong);
  });
});
