import { describe, expect, test } from 'vitest';
import { interleaveFamilies, type Lookup, resolveHost } from '../src/resolve.ts';

describe('resolving a name', () => {
  const v4 = (address: string) => ({ address, family: 4 });
  const most = 8;
  const { signal } = new AbortController();

  test('leaves out what is no address, and what is of another family', async () => {
    const lookup: Lookup = async () => [
      v4('not.an.address'),
      { address: '2001:db8::1', family: 6 },
      v4('192.0.2.1'),
    ];
    expect(await resolveHost('two.test', { lookup, most, signal })).toEqual(['2001:db8::1', '192.0.2.1']);
    expect(await resolveHost('two.test', { lookup, most, signal, family: 4 })).toEqual(['192.0.2.1']);
    await expect(resolveHost('none.test', { lookup: async () => [], most, signal })).rejects.toMatchObject({
      code: 'MPTCP_LOOKUP_FAILED',
    });
  });

  test('takes no more addresses than it is told', async () => {
    const lookup: Lookup = async () => Array.from({ length: 40 }, (_, index) => v4(`192.0.2.${index}`));
    expect(await resolveHost('many.test', { lookup, most: 3, signal })).toHaveLength(3);
  });

  test('gives up when it is told to, also where the resolver does not', async () => {
    const giveUp = new AbortController();
    const waiting = resolveHost('slow.test', {
      lookup: () => new Promise(() => {}),
      most,
      signal: giveUp.signal,
    });
    giveUp.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('leaves no failure that nobody hears of when a resolver throws, and later all is over', async () => {
    const unheard: unknown[] = [];
    const hear = (error: unknown): void => void unheard.push(error);
    process.on('unhandledRejection', hear);
    try {
      const giveUp = new AbortController();
      const lookup: Lookup = () => {
        throw new Error('broken');
      };
      await expect(resolveHost('x.test', { lookup, most, signal: giveUp.signal })).rejects.toMatchObject({
        code: 'MPTCP_LOOKUP_FAILED',
      });
      giveUp.abort(new Error('over'));
      await new Promise(resolve => setImmediate(resolve));
      expect(unheard).toEqual([]);
    } finally {
      process.off('unhandledRejection', hear);
    }
  });
});

describe('interleaving families', () => {
  const v4 = (address: string) => ({ address, family: 4 });
  const v6 = (address: string) => ({ address, family: 6 });

  test('alternates, beginning with the family the resolver put first', () => {
    expect(interleaveFamilies([v6('::1'), v6('::2'), v6('::3'), v4('1.1.1.1')])).toEqual([
      '::1',
      '1.1.1.1',
      '::2',
      '::3',
    ]);
    expect(interleaveFamilies([v4('1.1.1.1'), v4('1.1.1.2'), v6('::1')])).toEqual([
      '1.1.1.1',
      '::1',
      '1.1.1.2',
    ]);
  });

  test('keeps the order within a family and drops duplicates', () => {
    expect(interleaveFamilies([v4('1.1.1.2'), v4('1.1.1.1'), v4('1.1.1.2')])).toEqual(['1.1.1.2', '1.1.1.1']);
    expect(interleaveFamilies([])).toEqual([]);
  });
});
