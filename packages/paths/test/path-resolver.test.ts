import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { pathsLimits } from '../src/index.ts';
import type { NameAnswer } from '../src/names/ask-server.ts';
import { NameUnknownError } from '../src/names/errors.ts';
import { NameCache } from '../src/names/name-cache.ts';
import { PathResolver } from '../src/names/path-resolver.ts';
import { outlook } from './support/outlooks.ts';

const answer = (ttlSeconds: number): NameAnswer => ({
  addresses: [{ address: '192.0.2.1', family: 4 }],
  ttlSeconds,
});
const settle = () => new Promise(resolve => setImmediate(resolve));

describe('the memory of names', () => {
  function cache() {
    const clock = new SimulatedClock();
    const names = new NameCache(clock);
    let asked = 0;
    const get = (result: NameAnswer | Error, key = 'a') =>
      names.get(key, async () => {
        asked++;
        if (result instanceof Error) throw result;
        return result;
      });
    return { clock, names, get, asked: () => asked };
  }

  it('shares a lookup among all who ask meanwhile', async () => {
    const { get, asked } = cache();
    await Promise.all([get(answer(60)), get(answer(60)), get(answer(60))]);
    expect(asked()).toBe(1);
  });

  it.each([
    [60, 60],
    [0, pathsLimits.nameLeastSeconds],
    [1e6, pathsLimits.nameMostSeconds],
  ])('keeps an answer that holds for %i s for %i s', async (ttl, kept) => {
    const { get, asked, clock } = cache();
    await get(answer(ttl));
    await settle();
    clock.advance(kept * 1000 - 1);
    await get(answer(ttl));
    expect(asked()).toBe(1);
    clock.advance(1);
    await get(answer(ttl));
    expect(asked()).toBe(2);
  });

  it('keeps that a name is unknown for a short time, and other failures not at all', async () => {
    const { get, asked, clock } = cache();
    await expect(get(new NameUnknownError('a', 3600))).rejects.toThrow();
    await settle();
    await expect(get(answer(60))).rejects.toThrow();
    clock.advance(pathsLimits.nameUnknownSeconds * 1000);
    await expect(get(new Error('no answer'))).rejects.toThrow('no answer');
    await settle();
    await get(answer(60));
    expect(asked()).toBe(3);
  });

  it('is bounded, and forgets on demand', async () => {
    const { get, asked, names } = cache();
    for (let at = 0; at <= pathsLimits.namesKept; at++) await get(answer(60), `name ${at}`);
    await get(answer(60), 'name 1');
    expect(asked()).toBe(pathsLimits.namesKept + 1);
    await get(answer(60), 'name 0');
    expect(asked()).toBe(pathsLimits.namesKept + 2);
    names.forget();
    await get(answer(60), 'name 0');
    expect(asked()).toBe(pathsLimits.namesKept + 3);
  });
});

describe('names with one path', () => {
  const { signal } = new AbortController();

  it("are the system's to look up", async () => {
    const asked: string[] = [];
    const resolver = new PathResolver({
      outlooks: () => [outlook('a'), outlook('b', { tier: 'never' })],
      systemLookup: async (host, family) => {
        asked.push(`${host} ${family}`);
        if (host === 'nowhere.example') throw Object.assign(new Error(), { code: 'ENOTFOUND' });
        return [{ address: '2001:db8::1', family: 6 }];
      },
    });
    expect(await resolver.lookup('example.org', { family: 0, signal })).toEqual([
      { address: '2001:db8::1', family: 6 },
    ]);
    await expect(resolver.lookup('nowhere.example', { family: 4, signal })).rejects.toMatchObject({
      code: 'MANYPATH_NAME_UNKNOWN',
    });
    expect(await resolver.lookup('192.0.2.9', { family: 0, signal })).toEqual([
      { address: '192.0.2.9', family: 4 },
    ]);
    expect(asked).toEqual(['example.org 0', 'nowhere.example 4']);
  });
});
