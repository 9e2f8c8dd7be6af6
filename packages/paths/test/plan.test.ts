import { describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { claimed, planPaths, settingKey } from '../src/upkeep/plan.ts';

const wifi: Path = {
  name: 'wlan0',
  index: 3,
  kind: 'wifi',
  network: 'home',
  metric: 600,
  addresses: [{ address: '192.0.2.130', family: 4, prefixLength: 25, gateway: '192.0.2.129' }],
};
const cellular: Path = {
  name: 'wwan0',
  index: 5,
  kind: 'cellular',
  network: 'carrier',
  metric: 700,
  addresses: [
    { address: '198.51.100.7', family: 4, prefixLength: 24, gateway: '198.51.100.1' },
    { address: '2001:db8:5::7', family: 6, prefixLength: 64, gateway: 'fe80::1' },
  ],
};

describe('planning paths', () => {
  it('gives every address its table, its two rules and its endpoint', () => {
    expect(planPaths([wifi]).map(settingKey)).toEqual([
      `route 4 ${claimed.firstTable + 3} 192.0.2.128/25 via null dev 3`,
      `route 4 ${claimed.firstTable + 3} default via 192.0.2.129 dev 3`,
      `rule 4 ${claimed.rulePriority} ${claimed.firstTable + 3} 192.0.2.130 null`,
      `rule 4 ${claimed.rulePriority} ${claimed.firstTable + 3} null wlan0`,
      'endpoint 192.0.2.130 dev 3',
    ]);
  });

  it('gives a path one endpoint of each family, and rules for all its addresses', () => {
    const other = { address: '2001:db8:5::8', family: 6, prefixLength: 64, gateway: 'fe80::1' } as const;
    const keys = planPaths([{ ...cellular, addresses: [...cellular.addresses, other] }]).map(settingKey);
    expect(keys.filter(key => key.startsWith('endpoint'))).toEqual([
      'endpoint 198.51.100.7 dev 5',
      'endpoint 2001:db8:5::7 dev 5',
    ]);
    expect(keys).toContain(`rule 6 ${claimed.rulePriority} ${claimed.firstTable + 5} 2001:db8:5::8 null`);
  });

  it('needs no router and no network on a link that has the world at its other end', () => {
    const addresses = [{ address: '198.51.100.7', family: 4, prefixLength: 32, gateway: null }] as const;
    const keys = planPaths([{ ...cellular, addresses }]).map(settingKey);
    expect(keys.filter(key => key.startsWith('route'))).toEqual([
      `route 4 ${claimed.firstTable + 5} default via null dev 5`,
    ]);
  });

  it('plans both families of a path', () => {
    const keys = planPaths([cellular]).map(settingKey);
    expect(keys).toContain(`route 6 ${claimed.firstTable + 5} 2001:db8:5::/64 via null dev 5`);
    expect(keys).toContain('endpoint 2001:db8:5::7 dev 5');
  });

  it('makes every route before any endpoint, so that a subflow finds its way at once', () => {
    const types = planPaths([wifi, cellular]).map(({ type }) => type);
    expect(types.lastIndexOf('route')).toBeLessThan(types.indexOf('endpoint'));
  });

  it('plans a shared rule only once', () => {
    const twice: Path = { ...wifi, addresses: [...wifi.addresses, ...wifi.addresses] };
    expect(planPaths([twice])).toEqual(planPaths([wifi]));
  });

  it('asks for no more endpoints than the kernel holds, those of the best paths', () => {
    const many = Array.from({ length: 12 }, (_, index) => ({
      ...wifi,
      index: index + 10,
      name: `eth${index}`,
      addresses: [
        { address: `10.0.${index}.2`, family: 4 as const, prefixLength: 24, gateway: `10.0.${index}.1` },
      ],
    }));
    const endpoints = planPaths(many).filter(({ type }) => type === 'endpoint');
    expect(endpoints).toHaveLength(8);
    expect(endpoints[0]).toMatchObject({ address: '10.0.0.2' });
  });
});
