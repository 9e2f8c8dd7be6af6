import { parsePairing, silentLogger } from '@manypath/core';
import type { MeasuredPath, PathOutlook } from '@manypath/paths';
import { describe, expect, it } from 'vitest';
import { SpeedSurvey } from '../src/lanes/speed-survey.ts';
import { gatewayLimits } from '../src/limits.ts';

const outlook = (name: string, about: Partial<PathOutlook> = {}): PathOutlook => ({
  path: { name, index: 1, kind: 'ethernet', network: name, metric: 0, addresses: [] },
  tier: 'primary',
  health: 'up',
  rttMs: undefined,
  downMbps: undefined,
  upMbps: undefined,
  ...about,
});

function survey(outlooks: readonly PathOutlook[], measure: (name: string) => MeasuredPath | undefined) {
  const asked: string[] = [];
  const noted = new Map<string, MeasuredPath>();
  const made = new SpeedSurvey({
    pairing: parsePairing('https://user:password@relay.example:443'),
    limits: gatewayLimits,
    logger: silentLogger,
    steward: {
      outlooks: () => outlooks.map(one => ({ ...one, ...noted.get(one.path.name) })),
      hasMeasured: ({ path }) => noted.has(path.name),
      note: ({ path }, measured) => void noted.set(path.name, measured),
      account: () => {},
    },
    measure: async (_, { path }) => {
      asked.push(path.name);
      return measure(path.name);
    },
  });
  return { survey: made, asked, noted };
}

describe('the survey of speeds', () => {
  it('measures every primary path once, one after the other', async () => {
    const { survey: one, asked, noted } = survey([outlook('a'), outlook('b')], () => ({ downMbps: 20 }));
    await Promise.all([one.run(), one.run()]);
    await one.run();
    expect(asked).toEqual(['a', 'b']);
    expect(noted.get('b')).toEqual({ downMbps: 20 });
  });

  it('leaves no path out for one measurement: it and the faster one are measured a second time, by which both may be alike', async () => {
    const measurements = new Map<string, MeasuredPath[]>([
      [
        'a',
        [
          { downMbps: 8, upMbps: 20 },
          { downMbps: 20, upMbps: 19 },
        ],
      ],
      [
        'b',
        [
          { downMbps: 59, upMbps: 21 },
          { downMbps: 21, upMbps: 60 },
        ],
      ],
    ]);
    const {
      survey: one,
      asked,
      noted,
    } = survey([outlook('a'), outlook('b')], name => measurements.get(name)?.shift());
    await one.run();
    await one.run();
    expect(asked).toEqual(['a', 'b', 'a', 'b']);
    expect(noted.get('a')).toEqual({ downMbps: 20, upMbps: 20 });
    expect(noted.get('b')).toEqual({ downMbps: 21, upMbps: 21 });
  });

  it('leaves a path out that is slow a second time, and measures it no more', async () => {
    const { survey: one, asked } = survey([outlook('slow'), outlook('fast')], name => ({
      downMbps: name === 'slow' ? 5 : 100,
    }));
    await one.run();
    one.forgive();
    await one.run();
    expect(asked).toEqual(['slow', 'fast', 'slow', 'fast']);
  });

  it('spares paths that are not for this: backup, never, dead, captive, and secondary ones that are known', async () => {
    const spared = [
      outlook('a'),
      outlook('backup', { tier: 'backup' }),
      outlook('never', { tier: 'never' }),
      outlook('dead', { health: 'dead' }),
      outlook('captive', { health: 'captive' }),
      outlook('known', { tier: 'secondary', downMbps: 7 }),
      outlook('unknown', { tier: 'secondary' }),
    ];
    const { survey: one, asked } = survey(spared, () => ({ downMbps: 20 }));
    await one.run();
    expect(asked).toEqual(['a', 'unknown']);
  });

  it('measures nothing where there is no choice', async () => {
    const { survey: one, asked } = survey([outlook('a')], () => ({ downMbps: 20 }));
    await one.run();
    expect(asked).toEqual([]);
  });

  it('leaves a path that could not be measured until it is forgiven', async () => {
    let isBroken = true;
    const {
      survey: one,
      asked,
      noted,
    } = survey([outlook('a'), outlook('b')], name => {
      if (name === 'a' && isBroken) throw new Error('the relay broke the measurement off');
      return { downMbps: 20 };
    });
    await one.run();
    await one.run();
    expect(asked).toEqual(['a', 'b']);
    isBroken = false;
    one.forgive();
    await one.run();
    expect(noted.has('a')).toBe(true);
  });

  it('asks a proxy that knows nothing of it only once, and nobody after its end', async () => {
    const { survey: one, asked } = survey([outlook('a'), outlook('b')], () => undefined);
    await one.run();
    await one.run();
    expect(asked).toEqual(['a']);
    const { survey: other, asked: never } = survey([outlook('a'), outlook('b')], () => ({ downMbps: 1 }));
    other.close();
    await other.run();
    expect(never).toEqual([]);
  });
});
