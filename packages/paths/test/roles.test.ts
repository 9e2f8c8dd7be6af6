import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PathOutlook } from '../src/outlook.ts';
import { lookUnlike, openingWindow, planRoles } from '../src/steering/roles.ts';

type Known = Partial<Omit<PathOutlook, 'path'>>;

function outlook(name: string, known: Known = {}): PathOutlook {
  return {
    path: { name, index: 1, kind: 'ethernet', network: name, metric: 0, addresses: [] },
    tier: 'primary',
    health: 'up',
    rttMs: undefined,
    downMbps: undefined,
    upMbps: undefined,
    ...known,
  };
}

/** A path of a rate in both directions. */
function speed(name: string, mbps: number, rttMs: number, more: Known = {}): PathOutlook {
  return outlook(name, { downMbps: mbps, upMbps: mbps, rttMs, ...more });
}

const roles = (outlooks: readonly PathOutlook[], transferredBytes = 0): Record<string, string> =>
  Object.fromEntries(planRoles(outlooks, transferredBytes).of);

const megabyte = 1_000_000;

describe('paths that are alike', () => {
  it('are active from the first byte', () => {
    expect(roles([speed('a', 20, 10), speed('b', 18, 12)])).toEqual({ a: 'active', b: 'active' });
  });
});

describe('a path with a longer round trip', () => {
  const paths = [speed('a', 20, 10), speed('b', 20, 40)];

  it('is backup for short transfers', () => {
    expect(roles(paths, 100_000)).toEqual({ a: 'active', b: 'backup' });
  });

  it('is promoted when a transfer turns out to be long', () => {
    expect(roles(paths, megabyte)).toEqual({ a: 'active', b: 'active' });
  });

  it('does not lead, even if the host prefers it', () => {
    expect(planRoles([...paths].reverse(), 0).lead).toBe('a');
  });
});

describe('a much slower path', () => {
  it('is promoted only when it can delay the end by a tenth at most', () => {
    const paths = [speed('a', 50, 10), speed('b', 10, 10)];
    expect(roles(paths, 2 * megabyte)).toEqual({ a: 'active', b: 'backup' });
    expect(roles(paths, 8 * megabyte)).toEqual({ a: 'active', b: 'active' });
  });

  it('is never promoted when it would add next to nothing', () => {
    expect(roles([speed('a', 100, 10), speed('b', 10, 10)], 500 * megabyte)).toEqual({
      a: 'active',
      b: 'backup',
    });
  });

  it('does not lead, even if the host prefers it', () => {
    expect(planRoles([speed('a', 10, 0.2), speed('b', 50, 0.2)], 0).lead).toBe('b');
  });
});

describe('a fast path with a long round trip', () => {
  const paths = [speed('a', 50, 60), speed('b', 10, 20)];

  it('leaves short transfers to the near one', () => {
    expect(planRoles(paths, 0).lead).toBe('b');
  });

  it('takes the lead of long ones, and the near one goes on', () => {
    const before = planRoles(paths, 0);
    const now = planRoles(paths, megabyte, before);
    expect(now.lead).toBe('a');
    expect(Object.fromEntries(now.of)).toEqual({ a: 'active', b: 'active' });
  });
});

describe('what the other side may send ahead at the beginning', () => {
  const window = (paths: readonly PathOutlook[], transferredBytes = 0) =>
    openingWindow(paths, planRoles(paths, transferredBytes), transferredBytes);

  it('is little when a faster path is to join in, until that leads', () => {
    const paths = [speed('near', 10, 10), speed('far', 50, 40)];
    expect(window(paths)).toBe(131_072);
    expect(window(paths, 30_000)).toBe(131_072);
    expect(window(paths, 2 * megabyte)).toBeUndefined();
  });

  it('is twice what the lead has on its way, at least', () => {
    expect(window([speed('near', 20, 60), speed('far', 100, 400)])).toBe(300_000);
  });

  it('is not limited when the others are alike, slower or to be spared', () => {
    expect(window([speed('a', 20, 10), speed('b', 20, 10)])).toBeUndefined();
    expect(window([speed('a', 50, 10), speed('b', 10, 40)])).toBeUndefined();
    expect(window([speed('a', 10, 10), speed('b', 50, 40, { tier: 'secondary' })])).toBeUndefined();
    expect(window([speed('a', 10, 10), speed('b', 50, 40, { tier: 'backup' })])).toBeUndefined();
    expect(window([speed('a', 10, 10), speed('b', 50, 40, { health: 'dead' })])).toBeUndefined();
  });

  it('is not limited when nothing is known, or there is no path', () => {
    expect(window([outlook('a'), outlook('b')])).toBeUndefined();
    expect(window([])).toBeUndefined();
  });
});

describe('paths of which nothing is known', () => {
  it('join as backup behind the one that the host prefers, until a transfer is long', () => {
    const paths = [outlook('a'), outlook('b')];
    expect(roles(paths)).toEqual({ a: 'active', b: 'backup' });
    expect(roles(paths, megabyte)).toEqual({ a: 'active', b: 'active' });
  });
});

describe('tiers', () => {
  it('keep everything off a backup path while another one works', () => {
    expect(roles([speed('a', 1, 100), speed('b', 100, 1, { tier: 'backup' })], 100 * megabyte)).toEqual({
      a: 'active',
      b: 'backup',
    });
  });

  it('let a backup path carry when no other one works', () => {
    const paths = [speed('a', 20, 10, { health: 'dead' }), speed('b', 20, 10, { tier: 'backup' })];
    expect(roles(paths)).toEqual({ b: 'active' });
  });

  it('leave a path out that is never to be used, even alone', () => {
    expect(roles([speed('a', 20, 10, { tier: 'never' })])).toEqual({});
  });

  it('spare a secondary path until a transfer is really long', () => {
    const paths = [speed('a', 20, 10), speed('b', 20, 10, { tier: 'secondary' })];
    expect(roles(paths, 2 * megabyte)).toEqual({ a: 'active', b: 'backup' });
    expect(roles(paths, 8 * megabyte)).toEqual({ a: 'active', b: 'active' });
  });
});

describe('health', () => {
  it('takes dead and captive paths out of connections', () => {
    const paths = [
      speed('a', 20, 10, { health: 'dead' }),
      speed('b', 20, 10, { health: 'captive' }),
      speed('c', 20, 10),
    ];
    expect(roles(paths)).toEqual({ c: 'active' });
  });
});

describe('roles, whatever the paths', () => {
  const anyOutlook = fc.record({
    tier: fc.constantFrom('primary', 'secondary', 'backup', 'never'),
    health: fc.constantFrom('up', 'degraded', 'dead', 'captive', 'unknown'),
    rttMs: fc.option(fc.double({ min: 0.01, max: 2000, noNaN: true }), { nil: undefined }),
    downMbps: fc.option(fc.double({ min: 0.01, max: 10_000, noNaN: true }), { nil: undefined }),
    upMbps: fc.option(fc.double({ min: 0.01, max: 10_000, noNaN: true }), { nil: undefined }),
  });
  const paths = fc
    .array(anyOutlook, { maxLength: 5 })
    .map(all => all.map((known, index) => outlook(`p${index}`, known as Known)));

  it('name a lead that is active, and only paths that may be used', () => {
    fc.assert(
      fc.property(paths, fc.nat(100 * megabyte), fc.nat(100 * megabyte), (outlooks, first, second) => {
        const before = planRoles(outlooks, first);
        const { lead, of } = planRoles(outlooks, second, before);
        const usable = outlooks.filter(
          ({ tier, health }) => tier !== 'never' && health !== 'dead' && health !== 'captive',
        );
        expect([...of.keys()].sort()).toEqual(usable.map(({ path }) => path.name).sort());
        if (usable.length === 0) expect(lead).toBeUndefined();
        else expect(of.get(lead ?? '')).toBe('active');
        const sparing = usable.some(({ tier }) => tier !== 'backup');
        for (const { path, tier } of usable) {
          if (tier === 'backup' && sparing) expect(of.get(path.name)).toBe('backup');
        }
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});

describe('paths that look unlike', () => {
  const unlike = (...outlooks: readonly PathOutlook[]) => lookUnlike(outlooks).map(({ path }) => path.name);

  it('are those whose rates differ in one direction, or whose round trips do', () => {
    expect(unlike(speed('a', 20, 10), speed('b', 15, 14))).toEqual([]);
    expect(unlike(speed('a', 20, 10), speed('b', 12, 10))).toEqual(['a', 'b']);
    expect(unlike(speed('a', 20, 10), speed('b', 20, 10, { downMbps: 50 }))).toEqual(['a', 'b']);
    expect(unlike(speed('a', 20, 10), speed('b', 20, 17))).toEqual(['a', 'b']);
    expect(unlike(speed('a', 20, 10), speed('b', 19, 10), speed('c', 90, 10))).toEqual(['a', 'b', 'c']);
  });

  it('are not those of which nothing is known, nor those that have no part in transfers', () => {
    expect(unlike(speed('a', 20, 10), outlook('b'))).toEqual([]);
    expect(unlike(speed('a', 20, 10), speed('b', 1, 10, { health: 'dead' }))).toEqual([]);
    expect(unlike(speed('a', 20, 10), speed('b', 1, 10, { tier: 'backup' }))).toEqual([]);
  });
});
