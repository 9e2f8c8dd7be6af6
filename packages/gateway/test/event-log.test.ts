import type { PathStatus } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { EventLog } from '../src/control/event-log.ts';

const path = (name: string, about: Partial<PathStatus> = {}) =>
  ({ name, health: 'up', healthReason: null, tier: 'primary', ...about }) as PathStatus;

function log(most = 100) {
  let at = 0;
  const log = new EventLog(most, () => ++at);
  return { log, texts: () => log.entries().map(({ path, text }) => `${path} ${text}`) };
}

describe('the log of events', () => {
  it('tells of paths that come, break, work again and go', () => {
    const { log: entries, texts } = log();
    entries.notePaths([path('a'), path('b')]);
    entries.notePaths([path('a'), path('b')]);
    entries.notePaths([path('a', { health: 'dead', healthReason: 'nothing comes back' }), path('b')]);
    entries.notePaths([path('a', { health: 'degraded' }), path('b')]);
    entries.notePaths([path('a')]);
    expect(texts()).toEqual([
      'a there, and in use',
      'b there, and in use',
      'a dead: nothing comes back',
      'a works again',
      'b gone',
    ]);
  });

  it('tells of another tier, of the relay, and how long a failover took', () => {
    const { log: entries, texts } = log();
    entries.notePaths([path('a')]);
    entries.notePaths([path('a', { tier: 'never' })]);
    entries.noteRelay('ready', null);
    entries.noteRelay('ready', null);
    entries.noteRelay('away', 'no answer');
    entries.noteFailover('a', 420);
    expect(texts().slice(1)).toEqual([
      'a now never',
      'null the relay is ready',
      'null the relay is away: no answer',
      'a a transfer went on without this path',
    ]);
    expect(entries.entries().at(-1)).toMatchObject({ kind: 'failover', stallMs: 420, at: 5 });
  });

  it('keeps so many and no more', () => {
    const { log: entries } = log(3);
    for (let stall = 0; stall < 10; stall++) entries.noteFailover('a', stall);
    expect(entries.entries().map(({ stallMs }) => stallMs)).toEqual([7, 8, 9]);
  });
});
