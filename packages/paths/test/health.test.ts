import { SimulatedClock } from '@manypath/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { HealthKeeper } from '../src/health/health-keeper.ts';
import { type Evidence, HealthJudge } from '../src/health/judge.ts';

const answer = (rttMs = 20): Evidence => ({ kind: 'answer', rttMs });
const silence: Evidence = { kind: 'silence' };

describe('a path', () => {
  it('is dead after two silences in a row, and not after one', () => {
    const judge = new HealthJudge();
    judge.hear(answer());
    judge.hear(silence);
    expect(judge.verdict.health).toBe('up');
    judge.hear(silence);
    expect(judge.verdict).toMatchObject({ health: 'dead', reason: expect.stringContaining('nothing comes') });
  });

  it('is up again with the first answer, whatever was lost before', () => {
    const judge = new HealthJudge();
    for (let lost = 0; lost < 20; lost++) judge.hear(silence);
    judge.hear(answer());
    expect(judge.verdict.health).toBe('up');
  });

  it('is degraded while it loses every other probe, and up when most come back', () => {
    const judge = new HealthJudge();
    for (let round = 0; round < 4; round++) {
      judge.hear(silence);
      judge.hear(answer());
    }
    expect(judge.verdict.health).toBe('degraded');
    for (let round = 0; round < 6; round++) judge.hear(answer());
    expect(judge.verdict.health).toBe('up');
  });

  it('is degraded when answers take many times as long as they did', () => {
    const judge = new HealthJudge();
    judge.hear(answer(20));
    for (let round = 0; round < 3; round++) judge.hear(answer(2000));
    expect(judge.verdict.health).toBe('degraded');
    expect(judge.verdict.rttMs).toBe(20);
  });

  it('is captive when a portal answers', () => {
    const judge = new HealthJudge();
    judge.hear({ kind: 'portal', place: 'http://login.example/' });
    expect(judge.verdict).toMatchObject({
      health: 'captive',
      reason: expect.stringContaining('login.example'),
    });
  });

  it('stays captive while a portal answers for the world, until the free page is given', () => {
    const judge = new HealthJudge();
    judge.hear({ kind: 'portal', place: 'http://login.example/' });
    judge.hear(answer());
    expect(judge.verdict.health).toBe('captive');
    judge.hear({ kind: 'free' });
    expect(judge.verdict.health).toBe('up');
  });

  it('is never dead right after an answer, nor up right after two silences', () => {
    const evidence = fc.oneof(
      fc.constant(silence),
      fc.integer({ min: 1, max: 5000 }).map(rttMs => answer(rttMs)),
    );
    fc.assert(
      fc.property(fc.array(evidence, { minLength: 2, maxLength: 60 }), all => {
        const judge = new HealthJudge();
        for (const one of all) judge.hear(one);
        const [last, before] = [all.at(-1), all.at(-2)];
        const { health } = judge.verdict;
        if (last?.kind === 'answer') expect(health).not.toBe('dead');
        if (last?.kind === 'silence' && before?.kind === 'silence') expect(health).toBe('dead');
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});

/** Two paths, a clock, and who answers. */
function hospital() {
  const clock = new SimulatedClock();
  const dead = new Set<string>();
  const asked: string[] = [];
  let changes = 0;
  const logger = { debug() {}, info() {}, warn() {} };
  const keeper = new HealthKeeper({
    logger,
    clock,
    onChange: () => {
      changes += 1;
    },
    ask: async ({ name }) => {
      asked.push(name);
      return dead.has(name) ? silence : answer();
    },
  });
  const path = (name: string, network = 'home'): Path => ({
    name,
    network,
    index: 1,
    kind: 'ethernet',
    metric: 0,
    addresses: [],
  });
  return { keeper, clock, dead, asked, path, changes: () => changes };
}

/** Lets what was begun go on until it waits for the clock. */
const settled = () => new Promise(resolve => setImmediate(resolve));

describe('the health of paths', () => {
  it('is asked for when a second path appears, and then only in doubt', async () => {
    const { keeper, clock, asked, path } = hospital();
    keeper.usePaths([path('a')]);
    await settled();
    expect(asked).toEqual([]);
    keeper.usePaths([path('a'), path('b')]);
    await settled();
    clock.advance(3_600_000);
    await settled();
    expect(asked).toEqual(['b']);
    keeper.doubt('a');
    await settled();
    expect(asked).toEqual(['b', 'a']);
    expect(keeper.verdict('a')?.health).toBe('up');
    keeper.close();
  });

  it('is dead once it was doubted and did not answer, and up as soon as it does', async () => {
    const { keeper, clock, dead, path, changes } = hospital();
    keeper.usePaths([path('a'), path('b')]);
    await settled();
    dead.add('a');
    keeper.doubt('a');
    await settled();
    expect(keeper.verdict('a')?.health).toBe('dead');
    const before = changes();
    dead.delete('a');
    clock.advance(1500);
    await settled();
    expect(keeper.verdict('a')?.health).toBe('up');
    expect(changes()).toBe(before + 1);
    keeper.close();
  });

  it('is asked for again at least every 1.5 s while it is dead', async () => {
    const { keeper, clock, dead, asked, path } = hospital();
    keeper.usePaths([path('a'), path('b')]);
    await settled();
    dead.add('a');
    keeper.doubt('a');
    await settled();
    asked.length = 0;
    for (let seconds = 0; seconds < 60; seconds += 1.5) {
      clock.advance(1500);
      await settled();
    }
    expect(asked.length).toBeGreaterThanOrEqual(40);
    keeper.close();
  });

  it('does not call the last path dead when nobody is reached over any', async () => {
    const { keeper, dead, path } = hospital();
    keeper.usePaths([path('a'), path('b')]);
    await settled();
    dead.add('a').add('b');
    keeper.doubt('a');
    await settled();
    keeper.doubt('b');
    await settled();
    const healths = ['a', 'b'].map(name => keeper.verdict(name)?.health);
    expect(healths.filter(health => health === 'dead').length).toBeLessThan(2);
    keeper.close();
  });

  it('is forgotten when the path leads into another network', async () => {
    const { keeper, dead, path } = hospital();
    keeper.usePaths([path('a'), path('b')]);
    await settled();
    dead.add('a');
    keeper.doubt('a');
    await settled();
    dead.clear();
    keeper.usePaths([path('a', 'elsewhere'), path('b')]);
    await settled();
    expect(keeper.verdict('a')?.health).not.toBe('dead');
    keeper.close();
  });
});
