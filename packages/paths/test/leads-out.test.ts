import type { RouteAnswer } from '@manypath/mptcp';
import { describe, expect, it } from 'vitest';
import { type AskRoute, leadsOut, sourceFor } from '../src/dial/leads-out.ts';
import { pathNamed } from './support/outlooks.ts';

const a = pathNamed('a', [4, 6], 1);
const b = pathNamed('b', [4], 2);

function routes(about: Partial<RouteAnswer> | undefined): AskRoute {
  return () =>
    about && {
      destination: '203.0.113.1/32',
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

const viaDefault = routes({});

describe('a connection', () => {
  it.each(['203.0.113.1', '2001:db8::1', '192.168.7.7', '100.64.0.1'])('to %s leads out', address => {
    expect(leadsOut(address, [a, b], viaDefault)).toBe(true);
    expect(leadsOut(address, [a, b], undefined)).toBe(true);
  });

  it.each([
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '169.254.1.1',
    'fe80::1',
    'fe80::1%a',
    '224.0.0.1',
    '10.0.1.77',
    '10.0.2.1',
    'fd00:1::77',
  ])('to %s does not', address => {
    expect(leadsOut(address, [a, b], viaDefault)).toBe(false);
  });

  it.each<[string, Partial<RouteAnswer>]>([
    ['of this machine', { type: 'local', device: 'lo', gateway: undefined }],
    ['behind a VPN', { device: 'wg0', gateway: undefined }],
    ['behind a router that somebody made a route for', { gateway: '10.0.1.99' }],
  ])('to an address %s is left to the routing table', (_, about) => {
    expect(leadsOut('203.0.113.1', [a, b], routes(about))).toBe(false);
  });

  it('leads out when the routing table has no route at all, as some path may have one', () => {
    expect(leadsOut('203.0.113.1', [a, b], routes(undefined))).toBe(true);
  });

  it('leads out over a modem, which has no router, but not to what is next to it', () => {
    const modem = routes({ gateway: undefined });
    expect(leadsOut('203.0.113.1', [a, b], modem)).toBe(false);
    expect(leadsOut('8.8.8.8', [a, b], modem)).toBe(true);
    expect(leadsOut('192.168.7.7', [a, b], modem)).toBe(false);
  });
});

describe('the source of a connection', () => {
  it("is the kernel's to choose where it knows the path's router", () => {
    expect(sourceFor('203.0.113.1', a, viaDefault)).toBeUndefined();
  });

  it('is given where only a rule for the source leads over the path', () => {
    expect(sourceFor('203.0.113.1', b, routes({ device: 'b', gateway: undefined }))).toBe('10.0.2.2');
    expect(sourceFor('203.0.113.1', b, routes(undefined))).toBe('10.0.2.2');
    expect(sourceFor('2001:db8::1', a, undefined)).toBe('fd00:1::2');
  });

  it('is a public address for a public target, if the path has one', () => {
    const both = {
      ...a,
      addresses: [
        ...a.addresses,
        { address: '2600::2', family: 6 as const, prefixLength: 64, gateway: 'fe80::1' },
      ],
    };
    expect(sourceFor('2600:1::1', both, undefined)).toBe('2600::2');
    expect(sourceFor('fd99::1', both, undefined)).toBe('fd00:1::2');
  });
});
