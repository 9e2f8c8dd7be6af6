import { SimulatedClock } from '@manypath/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { HealthKeeper } from '../src/health/health-keeper.ts';
import { type Evidence, HealthJudge } from '../src/health/judge.ts';

const answer = (rttMs = 20) => ({ kind: 'answer', rttMs }) as const;
const silence: Evidence = { kind: 'silence' };

describe('a path', () => {
  it('is dead when it was asked and stayed silent', () => {
    const judge = new HealthJudge();
    judge.hear(answer());
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
      judge.hear({ ...answer(), lost: 1 });
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

  it('tells the longest of its last round trips, so that who asks waits for a full queue', () => {
    const judge = new HealthJudge();
    for (const rttMs of [20, 700, 30, 40]) judge.hear(answer(rttMs));
    expect(judge.lateRttMs).toBe(700);
    judge.hear(answer(50));
    judge.hear(answer(60));
    expect(judge.lateRttMs).toBe(60);
  });

  it('is never dead right after an answer, nor up right after a silence', () => {
    const evidence = fc.oneof(
      fc.constant(silence),
      fc.integer({ min: 1, max: 5000 }).map(rttMs => answer(rttMs)),
    );
    fc.assert(
      fc.property(fc.array(evidence, { minLength: 2, maxLength: 60 }), all => {
        const judge = new HealthJudge();
        for (const one of all) judge.hear(one);
        const { health } = judge.verdict;
        if (all.at(-1)?.kind === 'answer') expect(health).not.toBe('dead');
        else expect(health).toBe('dead');
      }),
      { interruptAfterTimeLimit: 2000, markInterruptAsFailure: false },
    );
  });
});

/** Paths, a clock, and who answers after how long. */
function hospital() {
  const clock = new SimulatedClock();
  const dead = new Set<string>();
  const heard = new Set<string>();
  const heardAt = new Map<string, number>();
  const rttMs = new Map<string, number>();
  const sizes = new Map<string, 'all' | 'small'>();
  const asked: string[] = [];
  let changes = 0;
  const logger = { debug() {}, info() {}, warn() {} };
  const keeper = new HealthKeeper({
    logger,
    clock,
    onChange: () => {
      changes += 1;
    },
    ask: ({ name }, _target, { timeoutMs, signal }) =>
      new Promise(resolve => {
        asked.push(name);
        const tookMs = rttMs.get(name) ?? 10;
        const isLost = () => dead.has(name);
        if (isLost()) clock.after(timeoutMs, () => resolve(silence));
        else clock.after(tookMs, () => isLost() || resolve(answer(tookMs)));
        signal.addEventListener('abort', () => resolve(undefined), { once: true });
      }),
    hasHeard: ({ name }, withinMs) => heard.has(name) || clock.now() - (heardAt.get(name) ?? -1e9) < withinMs,
    askSizes: async ({ name }) => sizes.get(name),
  });
  const path = (name: string, network = 'home'): Path => ({
    name,
    network,
    index: 1,
    kind: 'ethernet',
    metric: 0,
    addresses: [],
  });
  const health = (name: string) => keeper.verdict(name)?.health;
  /** Lets time pass, and what falls due be done. */
  const pass = async (milliseconds: number) => {
    for (let past = 0; past < milliseconds; past += 10) {
      clock.advance(10);
      await new Promise(resolve => setImmediate(resolve));
    }
  };
  const ward = async (...names: string[]) => {
    keeper.usePaths(names.map(name => path(name)));
    await pass(100);
    asked.length = 0;
  };
  return {
    keeper,
    clock,
    dead,
    heard,
    heardAt,
    rttMs,
    sizes,
    asked,
    path,
    health,
    pass,
    ward,
    changes: () => changes,
  };
}

describe('the health of paths', () => {
  it('is asked for when a second path appears, and then only in doubt', async () => {
    const { keeper, asked, path, pass, health } = hospital();
    keeper.usePaths([path('a')]);
    await pass(20);
    expect(asked).toEqual([]);
    keeper.usePaths([path('a'), path('b')]);
    await pass(60);
    expect(new Set(asked)).toEqual(new Set(['a', 'b']));
    asked.length = 0;
    await pass(60_000);
    expect(asked).toEqual([]);
    keeper.doubt('a');
    await pass(60);
    expect(asked).toContain('a');
    expect(health('a')).toBe('up');
    keeper.close();
  });

  it('is dead once it was doubted and did not answer, and up as soon as it does', async () => {
    const { keeper, dead, health, pass, ward, changes } = hospital();
    await ward('a', 'b');
    dead.add('a');
    keeper.doubt('a');
    await pass(350);
    expect(health('a')).toBe('dead');
    expect(health('b')).toBe('up');
    const before = changes();
    dead.delete('a');
    await pass(1500);
    expect(health('a')).toBe('up');
    expect(changes()).toBe(before + 1);
    keeper.close();
  });

  it('is asked for again at least every 1.5 s while it is dead', async () => {
    const { keeper, dead, asked, pass, ward } = hospital();
    await ward('a', 'b');
    dead.add('a');
    keeper.doubt('a');
    await pass(1000);
    asked.length = 0;
    await pass(60_000);
    expect(asked.length).toBeGreaterThanOrEqual(30);
    keeper.close();
  });

  it('is told of the one path that is silent although a question to the other was lost before', async () => {
    const { keeper, dead, health, pass, ward } = hospital();
    await ward('a', 'b');
    // Nobody answers for a moment: the relay starts again.
    dead.add('a').add('b');
    keeper.doubt('b');
    await pass(400);
    dead.delete('b');
    keeper.doubt('a');
    await pass(400);
    expect(health('a')).toBe('dead');
    expect(health('b')).toBe('up');
    keeper.close();
  });

  it('is not judged where nobody is reached over any path, and asked again until somebody is', async () => {
    const { keeper, dead, health, pass, ward } = hospital();
    await ward('a', 'b');
    dead.add('a').add('b');
    keeper.doubt('a');
    await pass(3000);
    expect([health('a'), health('b')]).toEqual(['up', 'up']);
    dead.delete('b');
    await pass(2500);
    expect([health('a'), health('b')]).toEqual(['dead', 'up']);
    keeper.close();
  });

  it('is not dead while something comes over it, however long answers wait in its queue', async () => {
    const { keeper, heard, rttMs, health, pass, ward, changes } = hospital();
    await ward('a', 'b');
    const before = changes();
    rttMs.set('a', 900);
    heard.add('a');
    for (let times = 0; times < 5; times++) {
      keeper.doubt('a');
      await pass(1500);
    }
    expect(health('a')).not.toBe('dead');
    expect(changes()).toBe(before);
    keeper.close();
  });

  it('is dead when what came over it came before the last doubt, although it was being asked already', async () => {
    const { keeper, clock, dead, heardAt, health, pass, ward } = hospital();
    await ward('a', 'b');
    dead.add('a');
    keeper.doubt('a');
    await pass(20);
    heardAt.set('a', clock.now());
    await pass(200);
    keeper.doubt('a');
    await pass(120);
    expect(health('a')).toBe('dead');
    keeper.close();
  });

  it('is up again when the answer comes late, and longer is waited the next time', async () => {
    const { keeper, rttMs, health, pass, ward } = hospital();
    await ward('a', 'b');
    rttMs.set('a', 450);
    keeper.doubt('a');
    await pass(500);
    expect(health('a')).toBe('up');
    keeper.doubt('a');
    for (let past = 0; past < 1000; past += 50) {
      await pass(50);
      expect(health('a')).not.toBe('dead');
    }
    keeper.close();
  });

  it('is not dead for a router that never answers, once something got through', async () => {
    const { keeper, dead, path, health, pass } = hospital();
    dead.add('b');
    keeper.usePaths([path('a'), path('b')]);
    await pass(400);
    expect(health('b')).toBe('dead');
    keeper.works('b', 20);
    expect(health('b')).toBe('up');
    await pass(3000);
    void keeper.freshen();
    await pass(1000);
    expect(health('b')).toBe('up');
    keeper.setTarget({ host: 'relay.example', port: 443 });
    void keeper.freshen();
    await pass(1000);
    expect(health('b')).toBe('dead');
    keeper.close();
  });

  it('is dead for a router that answered late the first time, as on a busy computer, and now does not', async () => {
    const { keeper, dead, rttMs, path, health, pass } = hospital();
    rttMs.set('b', 500);
    keeper.usePaths([path('a'), path('b')]);
    await pass(350);
    expect(health('b')).toBe('dead');
    keeper.works('b', 20);
    rttMs.set('b', 320);
    await pass(3000);
    expect(health('b')).toBe('up');
    dead.add('b');
    void keeper.freshen();
    await pass(1000);
    expect(health('b')).toBe('dead');
    keeper.close();
  });

  it('is found out when somebody asks how paths are that carry nothing', async () => {
    const { keeper, dead, health, asked, pass, ward } = hospital();
    await ward('a', 'b');
    await pass(5000);
    expect(asked).toEqual([]);
    dead.add('b');
    let known = false;
    void keeper.freshen().then(() => {
      known = true;
    });
    await pass(350);
    expect(known).toBe(true);
    expect([health('a'), health('b')]).toEqual(['up', 'dead']);
    keeper.close();
  });

  it('is not asked for again when something came over the paths just now', async () => {
    const { keeper, asked, pass, ward } = hospital();
    await ward('a', 'b');
    await pass(5000);
    keeper.alive('a');
    keeper.alive('b');
    await keeper.freshen();
    expect(asked).toEqual([]);
    keeper.close();
  });

  it('is degraded while only small packets pass, is asked for that once, and again when something speaks against it', async () => {
    const { keeper, sizes, health, pass, ward } = hospital();
    await ward('a', 'b');
    const question = { address: '203.0.113.9', segmentBytes: 1448 };
    sizes.set('a', 'small');
    expect(await keeper.examineSizes('a', question)).toBe('small');
    expect(keeper.verdict('a')).toMatchObject({
      health: 'degraded',
      takesSmallOnly: true,
      reason: expect.stringContaining('only small packets pass'),
    });
    keeper.works('a', 20);
    expect(health('a')).toBe('degraded');
    sizes.set('a', 'all');
    expect(await keeper.examineSizes('a', question)).toBe('small');
    await pass(6000);
    expect(await keeper.examineSizes('a', question, true)).toBe('all');
    expect(health('a')).toBe('up');
    sizes.set('a', 'small');
    await pass(6000);
    expect(await keeper.examineSizes('a', question, true)).toBe('small');
    sizes.set('a', 'all');
    // Nobody asks, and it is found out all the same.
    await pass(21_000);
    expect(keeper.verdict('a')).toMatchObject({ health: 'up', takesSmallOnly: false, reason: null });
    keeper.close();
  });

  it('is not changed where nobody tells which packets pass', async () => {
    const { keeper, health, ward } = hospital();
    await ward('a', 'b');
    const question = { address: '203.0.113.9', segmentBytes: 1448 };
    expect(await keeper.examineSizes('a', question)).toBeUndefined();
    expect(health('a')).toBe('up');
    keeper.close();
  });

  it('is forgotten when the path leads into another network', async () => {
    const { keeper, dead, path, health, pass, ward } = hospital();
    await ward('a', 'b');
    dead.add('a');
    keeper.doubt('a');
    await pass(400);
    expect(health('a')).toBe('dead');
    dead.clear();
    keeper.usePaths([path('a', 'elsewhere'), path('b')]);
    await pass(20);
    expect(health('a')).not.toBe('dead');
    keeper.close();
  });
});
