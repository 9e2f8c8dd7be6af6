import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { decideRoute, mayGoStraight } from '../src/decide-route.ts';
import { RelayAwayError, RelayTargetError } from '../src/errors.ts';
import { LocalNames } from '../src/local-names.ts';
import { LocalNetworks } from '../src/local-networks.ts';

const localNetworks = new LocalNetworks(new SimulatedClock(), address =>
  address.startsWith('10.1.') ? { gateway: undefined } : { gateway: '192.0.2.1' },
);
const localNames = new LocalNames(['*.corp.example', 'nas.example']);
const knowledge = { hasRelay: true, localNames, localNetworks };
const route = (host: string) => decideRoute({ host, port: 80 }, knowledge);

describe('the route of a connection', () => {
  it.each(['example.org', '203.0.113.5', '2001:db8::1', '10.2.0.1', 'localhost.example', 'my.notlocal'])(
    'leads through the relay to %s',
    host => {
      expect(route(host)).toBe('relay');
    },
  );

  it.each([
    'localhost',
    'LOCALHOST.',
    'app.localhost',
    'printer.local',
    'router',
    'box.home.arpa',
    'nas.example',
    'wiki.corp.example',
    '127.0.0.1',
    '127.9.9.9',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '169.254.169.254',
    'fe80::1',
    '10.1.2.3',
  ])('leads straight to %s, which only this host can reach', host => {
    expect(route(host)).toBe('straight');
  });

  it('follows what this machine itself knows of a name', () => {
    const target = { host: 'myapp.test', port: 3000 };
    const known = (...own: string[]) => decideRoute(target, { ...knowledge, own });
    expect(known('127.0.0.1')).toBe('straight');
    expect(known('203.0.113.5', '::1')).toBe('straight');
    expect(known('10.2.0.1')).toBe('relay');
    expect(known('203.0.113.5')).toBe('relay');
    expect(
      decideRoute(target, { ...knowledge, own: ['127.0.0.1'], rule: { host: 'myapp.test', route: 'relay' } }),
    ).toBe('relay');
  });

  it('leads straight to what speaks Multipath TCP itself, unless a rule says otherwise', () => {
    const target = { host: 'example.org', port: 443 };
    const to = (more: Partial<Parameters<typeof decideRoute>[1]>) =>
      decideRoute(target, { ...knowledge, ...more });
    expect(to({ speaksMultipath: true })).toBe('straight');
    expect(to({ speaksMultipath: false })).toBe('relay');
    expect(to({ speaksMultipath: true, rule: { host: 'example.org', route: 'relay' } })).toBe('relay');
    expect(to({ rule: { host: 'example.org', route: 'straight' } })).toBe('straight');
    expect(to({ rule: { host: 'example.org', route: 'tcp' } })).toBe('straight');
    expect(to({ rule: { host: 'example.org', paths: ['eth0'] } })).toBe('straight');
  });

  it('leads a local name through the relay only if a rule means that name', () => {
    const to = (host: string) =>
      decideRoute({ host: 'localhost', port: 80 }, { ...knowledge, rule: { host, route: 'relay' } });
    expect(to('localhost')).toBe('relay');
    expect(to('*')).toBe('straight');
  });

  it('leads straight when there is no relay', () => {
    expect(decideRoute({ host: 'example.org', port: 1 }, { ...knowledge, hasRelay: false })).toBe('straight');
  });

  it('may be straight after all to a private address that the relay must not dial', () => {
    const refused = new RelayTargetError(403, 'no');
    const to = (host: string) => mayGoStraight(refused, { host, port: 80 }, 'refuse');
    expect(['10.2.0.1', '192.168.1.1', 'fd00::1'].map(to)).toEqual([true, true, true]);
    expect(['203.0.113.5', 'example.org', '127.0.0.1', '169.254.169.254'].map(to)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(mayGoStraight(new RelayTargetError(502, 'no'), { host: '10.2.0.1', port: 80 }, 'straight')).toBe(
      false,
    );
  });

  it('is straight while the relay is away only if that is wanted', () => {
    const away = new RelayAwayError('r:1', 'gone');
    expect(mayGoStraight(away, { host: 'example.org', port: 1 }, 'refuse')).toBe(false);
    expect(mayGoStraight(away, { host: 'example.org', port: 1 }, 'straight')).toBe(true);
  });
});
