import { describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { isShared, SubflowPlaces } from '../src/discovery/subflow-places.ts';

const path = (name: string, index: number, address: string): Path => ({
  name,
  index,
  kind: 'usb',
  network: `${name} via 192.168.8.1`,
  metric: index,
  addresses: [{ address, family: 4, prefixLength: 24, gateway: '192.168.8.1' }],
});
const from = (address: string, port: number) => ({
  local: { address, port },
  remote: { address: '203.0.113.1', port: 443 },
});

describe('a subflow', () => {
  it('is on the path that has its address, and nobody is asked', () => {
    const places = new SubflowPlaces(() => {
      throw new Error('not to be asked');
    });
    const paths = [path('a', 1, '192.0.2.1'), path('b', 2, '192.0.2.2')];
    expect(places.pathOf(from('192.0.2.2', 5000), paths)?.name).toBe('b');
    expect(places.pathOf(from('127.0.0.1', 5000), paths)).toBeUndefined();
  });

  it('is on the path of its device where two have one address, which is asked for once', () => {
    const asked: number[] = [];
    const places = new SubflowPlaces(({ local }) => {
      asked.push(local.port);
      return local.port === 5001 ? 1 : 2;
    });
    const twins = [path('a', 1, '192.168.8.100'), path('b', 2, '192.168.8.100')];
    for (let times = 0; times < 3; times++) {
      expect(places.pathOf(from('192.168.8.100', 5001), twins)?.name).toBe('a');
      expect(places.pathOf(from('192.168.8.100', 5002), twins)?.name).toBe('b');
    }
    expect(asked).toEqual([5001, 5002]);
    expect(isShared('192.168.8.100', twins)).toBe(true);
  });

  it('is on none when the one of two paths with one address that it was on is gone, asked before or not', () => {
    const places = new SubflowPlaces(({ local }, indexes) =>
      indexes.find(index => index === (local.port % 2 === 1 ? 1 : 2)),
    );
    const [a, b] = [path('a', 1, '192.168.8.100'), path('b', 2, '192.168.8.100')];
    expect(places.pathOf(from('192.168.8.100', 5002), [a, b])?.name).toBe('b');
    for (const port of [5002, 5004]) {
      expect(places.pathOf(from('192.168.8.100', port), [a])).toBeUndefined();
      expect(places.pathOf(from('192.168.8.100', port), [a, b])?.name).toBe('b');
    }
    expect(places.pathOf(from('192.168.8.100', 5005), [a])?.name).toBe('a');
    // Plugged in again, under another number.
    const c = path('c', 3, '192.168.8.100');
    expect(places.pathOf(from('192.168.8.100', 5004), [c, a])).toBeUndefined();
  });

  it('is on the best path where it is bound to no device', () => {
    const places = new SubflowPlaces(() => undefined);
    const twins = [path('a', 1, '192.168.8.100'), path('b', 2, '192.168.8.100')];
    expect(places.pathOf(from('192.168.8.100', 5001), twins)?.name).toBe('a');
  });
});
