import { expect, it } from 'vitest';
import { relayLimits } from '../src/limits.ts';
import { withinDescriptors } from '../src/within-descriptors.ts';

it('leaves half of few descriptors to users', () => {
  expect(withinDescriptors(relayLimits, 1024)).toMatchObject({ arrivals: 256, strangers: 256 });
  expect(withinDescriptors(relayLimits, 2)).toMatchObject({ arrivals: 1, strangers: 1 });
});

it('changes nothing where there are enough, or where nobody knows', () => {
  expect(withinDescriptors(relayLimits, 65_536)).toEqual(relayLimits);
  expect(withinDescriptors(relayLimits, Number.POSITIVE_INFINITY)).toEqual(relayLimits);
});

it('takes the pools from the limit of this process', () => {
  expect(withinDescriptors({ ...relayLimits, arrivals: 1e9 }).arrivals).toBeLessThan(1e9);
});
