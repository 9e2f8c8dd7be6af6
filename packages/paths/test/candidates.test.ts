import type { PathHealth, PathTier } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { delayBetween, orderCandidates, pathRank } from '../src/dial/candidates.ts';
import { outlook, pathNamed } from './support/outlooks.ts';

const bounded = { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false };

function order(...parameters: Parameters<typeof orderCandidates>): string[] {
  return orderCandidates(...parameters).map(({ address, path }) => `${address} ${path?.name}`);
}

describe('the order of ways to a host', () => {
  it('tries another path second, and another address with it', () => {
    const paths = [outlook('a'), outlook('b')];
    expect(order(['192.0.2.1', '192.0.2.2'], paths)).toEqual([
      '192.0.2.1 a',
      '192.0.2.2 b',
      '192.0.2.2 a',
      '192.0.2.1 b',
    ]);
    expect(order(['192.0.2.1'], paths)).toEqual(['192.0.2.1 a', '192.0.2.1 b']);
  });

  it('gives a path only addresses of its families', () => {
    const both = outlook('a', { path: pathNamed('a', [4, 6]) });
    expect(order(['2001:db8::1', '192.0.2.1'], [both, outlook('b')])).toEqual([
      '2001:db8::1 a',
      '192.0.2.1 b',
      '192.0.2.1 a',
    ]);
  });

  it('goes by health among primary and secondary paths, keeps backup for later, and broken ones for last', () => {
    const paths = [
      outlook('dead', { health: 'dead' }),
      outlook('backup', { tier: 'backup' }),
      outlook('troubled', { health: 'degraded' }),
      outlook('second', { tier: 'secondary' }),
      outlook('never', { tier: 'never' }),
      outlook('first', { health: 'unknown' }),
    ];
    expect(order(['192.0.2.1'], paths).map(way => way.split(' ')[1])).toEqual([
      'first',
      'second',
      'troubled',
      'backup',
      'dead',
    ]);
  });

  it('begins with what is preferred among paths that stand alike, and with no doubted one', () => {
    const paths = [outlook('a'), outlook('b'), outlook('c', { tier: 'secondary' })];
    const first = (leanings: Parameters<typeof orderCandidates>[2]) =>
      order(['192.0.2.1'], paths, leanings)[0];
    expect(first({ preferred: ['b'] })).toBe('192.0.2.1 b');
    expect(first({ preferred: [undefined, 'b', 'a'] })).toBe('192.0.2.1 b');
    expect(first({ preferred: ['c'] })).toBe('192.0.2.1 a');
    expect(first({ preferred: ['a'], isDoubted: ({ name }) => name === 'a' })).toBe('192.0.2.1 b');
  });

  it('has every usable way exactly once, better paths before worse ones', () => {
    const tiers: PathTier[] = ['primary', 'secondary', 'backup', 'never'];
    const healths: PathHealth[] = ['up', 'degraded', 'dead', 'captive', 'unknown'];
    const someOutlook = fc
      .record({
        tier: fc.constantFrom(...tiers),
        health: fc.constantFrom(...healths),
        families: fc.constantFrom<(4 | 6)[]>([4], [6], [4, 6]),
      })
      .map(({ families, ...about }) => ({ families, about }));
    const someAddresses = fc.uniqueArray(
      fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3', '2001:db8::1', '2001:db8::2'),
    );
    fc.assert(
      fc.property(fc.array(someOutlook, { maxLength: 5 }), someAddresses, (some, addresses) => {
        const outlooks = some.map(({ families, about }, at) =>
          outlook(`p${at}`, { ...about, path: pathNamed(`p${at}`, families) }),
        );
        const candidates = orderCandidates(addresses, outlooks);
        const ways = candidates.map(({ address, path }) => `${address} ${path?.name}`);
        const possible = outlooks
          .filter(({ tier }) => tier !== 'never')
          .flatMap(({ path }) =>
            addresses
              .filter(address =>
                path.addresses.some(({ family }) => family === (address.includes(':') ? 6 : 4)),
              )
              .map(address => `${address} ${path.name}`),
          );
        expect([...ways].sort()).toEqual(possible.sort());
        expect(candidates.map(({ rank }) => rank)).toEqual(
          candidates.map(({ rank }) => rank).sort((left, right) => left - right),
        );
        const [first, second] = candidates;
        const alike = new Set(
          candidates.filter(({ rank }) => rank === first?.rank).map(({ path }) => path?.name),
        );
        if (alike.size > 1) expect(second?.path?.name).not.toBe(first?.path?.name);
      }),
      bounded,
    );
  });
});

describe('the wait between two ways', () => {
  const staggering = { attemptDelayMs: 250, leastDelayMs: 100, backupDelayMs: 1000 };
  const candidate = (rank: number, rttMs?: number) => ({
    address: '192.0.2.1',
    path: pathNamed('a'),
    rank,
    rttMs,
  });

  it('is shorter where the round trip is known to be short', () => {
    expect(delayBetween(candidate(0), candidate(0), staggering)).toBe(250);
    expect(delayBetween(candidate(0, 1), candidate(0), staggering)).toBe(100);
    expect(delayBetween(candidate(0, 20), candidate(0), staggering)).toBe(130);
    expect(delayBetween(candidate(0, 500), candidate(0), staggering)).toBe(250);
  });

  it('is long before a path for backup, unless the others are in trouble anyway', () => {
    const backup = candidate(pathRank(outlook('b', { tier: 'backup' }), false) ?? 0);
    expect(delayBetween(candidate(0, 20), backup, staggering)).toBe(1000);
    expect(delayBetween(candidate(2), backup, staggering)).toBe(250);
  });
});
