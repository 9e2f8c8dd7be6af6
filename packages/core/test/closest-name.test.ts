import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closestName } from '../src/closest-name.ts';

const names = ['connections', 'idleMs', 'requestHeadMs', 'controlClients'];

describe('the name that was probably meant', () => {
  for (const [wrong, meant] of [
    ['connectoins', 'connections'],
    ['conections', 'connections'],
    ['idlems', 'idleMs'],
    ['idlMs', 'idleMs'],
    ['requestHeadsMs', 'requestHeadMs'],
    ['controlClient', 'controlClients'],
    ['nope', undefined],
    ['', undefined],
    ['x'.repeat(1000), undefined],
  ] as const) {
    it(`is ${meant ?? 'nothing'} for ${wrong.slice(0, 20) || 'nothing'}`, () => {
      expect(closestName(wrong, names)).toBe(meant);
    });
  }

  it('is found when one letter is missing, anywhere', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), (name, at) => {
        const place = at % name.length;
        expect(closestName(name.slice(0, place) + name.slice(place + 1), names)).toBe(name);
      }),
    );
  });
});
