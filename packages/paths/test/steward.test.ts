import { SimulatedClock } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { type PathOutlook, Steward } from '../src/index.ts';
import { CarriedRates } from '../src/steering/carried-rates.ts';
import { outlook } from './support/outlooks.ts';

const logger = { debug() {}, info() {}, warn() {} };

function office(outlooks: readonly PathOutlook[], only?: readonly string[]) {
  const told: string[] = [];
  const measured: object[] = [];
  const steward = new Steward({
    paths: {
      outlooks: () => outlooks,
      onChange: () => () => told.push('unsubscribed'),
      doubt: name => void told.push(`doubt ${name}`),
      works: (name, rttMs) => void told.push(`works ${name} ${rttMs}`),
      alive: () => {},
      examineSizes: async name => (name === 'a' ? 'small' : undefined),
      pathOf: () => undefined,
      trafficOf: () => undefined,
    },
    rights: undefined,
    logger,
    only,
    onMeasured: (one, figures) => measured.push({ path: one.path.name, ...figures }),
  });
  return { steward, told, measured };
}

describe('the steward', () => {
  it('puts what was measured just now before what is remembered, and has it remembered', () => {
    const a = outlook('a', { downMbps: 5, rttMs: 30 });
    const { steward, measured } = office([a, outlook('b')]);
    expect(steward.hasMeasured(a)).toBe(false);
    steward.note(a, { downMbps: 50 });
    steward.note(a, { upMbps: 10 });
    expect(steward.outlooks()[0]).toMatchObject({ downMbps: 50, upMbps: 10, rttMs: 30 });
    expect(steward.hasMeasured(a)).toBe(true);
    expect(measured).toEqual([
      { path: 'a', downMbps: 50 },
      { path: 'a', upMbps: 10 },
    ]);
  });

  it('takes no path for slower than it was seen to be, for some minutes, and believes no rate of one that nobody measured', () => {
    const clock = new SimulatedClock();
    const carried = new CarriedRates();
    const a = outlook('a', { downMbps: 5, upMbps: 20 });
    const raise = () => carried.raise(a, 'a', clock.now());
    carried.note('a', { downMbps: 18, upMbps: 0.1 }, clock.now());
    expect(raise()).toMatchObject({ downMbps: 18, upMbps: 20 });
    clock.advance(60_000);
    carried.note('a', { downMbps: 12, upMbps: 0.1 }, clock.now());
    expect(raise()).toMatchObject({ downMbps: 18, upMbps: 20 });
    clock.advance(241_000);
    expect(raise()).toMatchObject({ downMbps: 5, upMbps: 20 });
    carried.note('b', { downMbps: 18, upMbps: 2 }, clock.now());
    expect(carried.raise(outlook('b'), 'b', clock.now())).toMatchObject({
      downMbps: undefined,
      upMbps: undefined,
    });
  });

  it('begins new connections on the path that is done soonest', () => {
    const slow = outlook('slow', { downMbps: 1, rttMs: 80 });
    const fast = outlook('fast', { downMbps: 50, rttMs: 10 });
    const { steward } = office([slow, fast]);
    expect(steward.preferred().map(({ path }) => path.name)).toEqual(['fast', 'slow']);
  });

  it('hands on what dials taught, and what packets pass', async () => {
    const { steward, told } = office([outlook('a'), outlook('b')]);
    steward.tell('a', 'silent');
    steward.tell('b', 'answered', 12);
    expect(told).toEqual(['doubt a', 'works b 12']);
    expect(await steward.examineSizes('a', { address: '203.0.113.1', segmentBytes: 1448 })).toBe('small');
  });

  it('names the paths that the user named, and listens to no change after its end', () => {
    const { steward, told } = office([outlook('a')], ['a']);
    expect(steward.only).toEqual(['a']);
    expect(steward.openSocket).toBeUndefined();
    steward.close();
    expect(told).toEqual(['unsubscribed']);
  });
});
