import { SimulatedClock } from '@manypath/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PathLoad, spread } from '../src/dial/spread.ts';
import { Spreader, siteOf } from '../src/dial/spreader.ts';
import { outlook } from './support/outlooks.ts';

const bounded = { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false };
const sites = Array.from({ length: 2000 }, (_, at) => `site-${at}.example`);

/** How many of many sites each path gets. */
function shares(
  outlooks: Parameters<typeof spread>[0],
  load: ReadonlyMap<string, PathLoad> = new Map(),
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const site of sites) {
    const name = spread(outlooks, load, site) ?? 'none';
    counts[name] = (counts[name] ?? 0) + 1 / sites.length;
  }
  return counts;
}

describe('connections to many sites', () => {
  it('are spread evenly over paths of which nothing is known', () => {
    const { a = 0, b = 0 } = shares([outlook('a'), outlook('b')]);
    expect(a).toBeGreaterThan(0.45);
    expect(b).toBeGreaterThan(0.45);
  });

  it('are spread in proportion to what the paths can carry', () => {
    const { a } = shares([outlook('a', { downMbps: 60 }), outlook('b', { downMbps: 30 })]);
    expect(a).toBeCloseTo(2 / 3, 1);
  });

  it('prefer the path that answers quickly', () => {
    const { a } = shares([outlook('a', { rttMs: 20 }), outlook('b', { rttMs: 100 })]);
    expect(a).toBeCloseTo(0.75, 1);
  });

  it('leave a path alone that is much slower, as long as the best one has room', () => {
    const outlooks = [outlook('fast', { downMbps: 100 }), outlook('slow', { downMbps: 20 })];
    expect(shares(outlooks)).toEqual({ fast: expect.closeTo(1) });
    const full = new Map([['fast', { connections: 10, downMbps: 90 }]]);
    expect(shares(outlooks, full).slow).toBeGreaterThan(0.1);
  });

  it('use the best kind of path there is, and none that must not be used', () => {
    expect(shares([outlook('a', { tier: 'backup' }), outlook('b')])).toEqual({ b: expect.closeTo(1) });
    expect(shares([outlook('a', { health: 'dead' }), outlook('b', { tier: 'backup' })])).toEqual({
      b: expect.closeTo(1),
    });
    expect(shares([outlook('a', { tier: 'never' }), outlook('b', { health: 'dead' })])).toEqual({
      none: expect.closeTo(1),
    });
  });

  it('go where there is room', () => {
    const load = new Map([['a', { connections: 40, downMbps: 0 }]]);
    expect(shares([outlook('a'), outlook('b')], load)).toEqual({ b: expect.closeTo(1) });
  });
});

describe('connections to one site', () => {
  const paths = [outlook('a'), outlook('b'), outlook('c')];

  it('stay on one path, whatever order the paths come in', () => {
    fc.assert(
      fc.property(fc.domain(), fc.shuffledSubarray(paths, { minLength: 3 }), (site, shuffled) => {
        expect(spread(shuffled, new Map(), site)).toBe(spread(paths, new Map(), site));
      }),
      bounded,
    );
  });

  it('stay where they are until that path goes or is much fuller than another', () => {
    const load = (connections: number) => new Map([['a', { connections, downMbps: 0 }]]);
    expect(spread(paths, load(8), 'shop.example', 'a')).toBe('a');
    expect(spread(paths, load(40), 'shop.example', 'a')).not.toBe('a');
    const without = [outlook('a', { health: 'dead' }), outlook('b')];
    expect(spread(without, new Map(), 'shop.example', 'a')).toBe('b');
  });

  it('move only if their path goes, when another one goes', () => {
    for (const site of sites.slice(0, 200)) {
      const before = spread(paths, new Map(), site);
      const after = spread(paths.slice(0, 2), new Map(), site);
      if (before !== 'c') expect(after).toBe(before);
    }
  });

  it('always get a path that may be used, if there is one', () => {
    const some = fc.record({
      downMbps: fc.option(fc.double({ min: 0, max: 1e4, noNaN: true }), { nil: undefined }),
      rttMs: fc.option(fc.double({ min: 0, max: 1e4, noNaN: true }), { nil: undefined }),
      tier: fc.constantFrom('primary' as const, 'secondary' as const, 'backup' as const, 'never' as const),
    });
    const someLoad = fc.record({
      connections: fc.nat(1000),
      downMbps: fc.double({ min: 0, max: 1e4, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(some, { maxLength: 4 }), fc.array(someLoad, { maxLength: 4 }), (abouts, loads) => {
        const outlooks = abouts.map((about, at) => outlook(`p${at}`, about));
        const load = new Map(loads.map((one, at) => [`p${at}`, one] as const));
        const usable = outlooks.filter(({ tier }) => tier !== 'never').map(({ path }) => path.name);
        const chosen = spread(outlooks, load, 'shop.example');
        if (usable.length === 0) expect(chosen).toBeUndefined();
        else expect(usable).toContain(chosen);
      }),
      bounded,
    );
  });
});

describe('a spreader', () => {
  it('knows what its paths carry', () => {
    const clock = new SimulatedClock();
    const spreader = new Spreader(clock);
    const outlooks = [outlook('fast', { downMbps: 100 }), outlook('slow', { downMbps: 20 })];
    let received = 0;
    const bulk = spreader.placed('big.example', 'fast', () => received);
    expect(spreader.choose(outlooks, 'a.example')).toBe('fast');
    clock.advance(1000);
    received = 12_000_000;
    const chosen = () => new Set(sites.slice(0, 100).map(site => spreader.choose(outlooks, site)));
    expect(chosen()).toEqual(new Set(['fast', 'slow']));
    bulk.end();
    clock.advance(1000);
    expect(new Set(sites.slice(100, 200).map(site => spreader.choose(outlooks, site)))).toEqual(
      new Set(['fast']),
    );
  });

  it('keeps a site on the path on which it got through', () => {
    const spreader = new Spreader(new SimulatedClock());
    const outlooks = [outlook('a'), outlook('b')];
    const chosen = spreader.choose(outlooks, 'www.shop.example');
    const other = chosen === 'a' ? 'b' : 'a';
    spreader.placed('www.shop.example', other, () => 0);
    expect(spreader.choose(outlooks, 'login.shop.example')).toBe(other);
  });
});

describe('a site', () => {
  it('is what a login may hold for', () => {
    expect(siteOf('login.Example.org.')).toBe('example.org');
    expect(siteOf('www.shop.co.uk')).toBe('shop.co.uk');
    expect(siteOf('localhost')).toBe('localhost');
    expect(siteOf('192.0.2.77')).toBe('192.0.2.0');
    expect(siteOf('2001:db8:1:2::3')).toBe('2001:db8:1::');
  });
});
