import { parsePairing, SimulatedClock, silentLogger } from '@manypath/core';
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

function survey(
  outlooks: readonly PathOutlook[],
  measure: (name: string) => MeasuredPath | undefined,
  trafficOf: (name: string) => number | undefined = () => undefined,
) {
  const asked: string[] = [];
  const noted = new Map<string, MeasuredPath>();
  const clock = new SimulatedClock();
  const made = new SpeedSurvey({
    pairing: parsePairing('https://user:password@relay.example:443'),
    limits: gatewayLimits,
    logger: silentLogger,
    clock,
    steward: {
      trafficOf: ({ path }) => trafficOf(path.name),
      outlooks: () => outlooks.map(one => ({ ...one, ...noted.get(one.path.name) })),
      hasMeasured: ({ path }) => noted.has(path.name),
      note: ({ path }, measured) => void noted.set(path.name, measured),
      account: () => {},
    },
    measure: async (_, { path }, __, { signal }) => {
      asked.push(path.name);
      const measured = measure(path.name);
      await new Promise(resolve => setImmediate(resolve));
      signal.throwIfAborted();
      return measured;
    },
  });
  return { survey: made, asked, noted, clock };
}

/** Lets time go by until a promise is fulfilled. */
async function passing<T>(clock: SimulatedClock, promise: Promise<T>): Promise<T> {
  let isOver = false;
  const over = promise.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    clock.advance(20);
    await new Promise(resolve => setImmediate(resolve));
  }
  return await over;
}

describe('the survey of speeds', () => {
  it('measures every primary path once, one after the other', async () => {
    const { survey: one, asked, noted } = survey([outlook('a'), outlook('b')], () => ({ downMbps: 20 }));
    await Promise.all([one.run(), one.run()]);
    await one.run();
    expect(asked).toEqual(['a', 'b']);
    expect(noted.get('b')).toEqual({ downMbps: 20 });
  });

  it('measures paths again that look unlike, and takes them for alike when only noise made them unlike', async () => {
    const measurements = new Map<string, MeasuredPath[]>([
      [
        'a',
        [
          { downMbps: 5, upMbps: 20 },
          { downMbps: 20, upMbps: 19 },
          { downMbps: 21, upMbps: 20 },
        ],
      ],
      [
        'b',
        [
          { downMbps: 20, upMbps: 21 },
          { downMbps: 21, upMbps: 60 },
          { downMbps: 20, upMbps: 20 },
        ],
      ],
    ]);
    const {
      survey: one,
      asked,
      noted,
    } = survey([outlook('a', { rttMs: 20 }), outlook('b', { rttMs: 22 })], name =>
      measurements.get(name)?.shift(),
    );
    await one.run();
    await one.run();
    expect(asked).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
    expect(noted.get('a')).toEqual({ downMbps: 20, upMbps: 20 });
    expect(noted.get('b')).toEqual({ downMbps: 20, upMbps: 21 });
  });

  it('believes that a path is slow when two measurements agree, and measures it no more', async () => {
    const { survey: one, asked } = survey([outlook('slow'), outlook('fast')], name => ({
      downMbps: name === 'slow' ? 5 : 100,
    }));
    await one.run();
    one.forgive();
    await one.run();
    expect(asked).toEqual(['slow', 'fast', 'slow', 'fast']);
  });

  it('measures the quiet paths first, and a busy one when it has become quiet', async () => {
    let carried = 0;
    let isBusy = true;
    const {
      survey: one,
      asked,
      clock,
    } = survey(
      [outlook('busy'), outlook('quiet')],
      () => ({ downMbps: 20 }),
      name => {
        if (name === 'busy' && isBusy) carried += 100_000;
        return name === 'busy' ? carried : 0;
      },
    );
    let seconds = 0;
    const count = () => {
      seconds += 1;
      if (seconds === 30) isBusy = false;
      clock.after(1000, count);
    };
    count();
    await passing(clock, one.run());
    expect(asked).toEqual(['quiet', 'busy']);
    expect(seconds).toBeGreaterThanOrEqual(30);
  });

  it('measures anew when something else came over the path meanwhile, but not for ever', async () => {
    let carried = 0;
    const measuredBytes = 2.2 * gatewayLimits.measureBytes;
    const disturbances = [0, 2_000_000, 2_000_000, 0, 2_000_000, 2_000_000, 2_000_000, 2_000_000];
    const {
      survey: one,
      asked,
      clock,
      noted,
    } = survey(
      [outlook('a', { rttMs: 1 }), outlook('b', { rttMs: 1 })],
      () => {
        carried += measuredBytes + (disturbances.shift() ?? 0);
        return { downMbps: 20 };
      },
      () => carried,
    );
    await passing(clock, one.run());
    expect(asked).toEqual(['a', 'b', 'b', 'b']);
    expect([...noted.keys()]).toEqual(['a', 'b']);
    const {
      survey: other,
      asked: often,
      clock: otherClock,
    } = survey(
      [outlook('a', { rttMs: 1 }), outlook('b', { rttMs: 1 })],
      () => {
        carried += measuredBytes + 2_000_000;
        return { downMbps: 20 };
      },
      () => carried,
    );
    await passing(otherClock, other.run());
    expect(often).toEqual(['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b']);
  });

  it('breaks a measurement off when something is about to be carried, and makes it when all is quiet again', async () => {
    const opened: number[] = [];
    const {
      survey: one,
      asked,
      clock,
      noted,
    } = survey(
      [outlook('a', { rttMs: 1 }), outlook('b', { rttMs: 1 })],
      () => {
        if (opened.length < 2) one.giveWay();
        opened.push(clock.now());
        return { downMbps: 20 };
      },
      () => 0,
    );
    await passing(clock, one.run());
    expect(asked).toEqual(['a', 'a', 'a', 'b']);
    expect([...noted.keys()]).toEqual(['a', 'b']);
    expect((opened[1] ?? 0) - (opened[0] ?? 0)).toBeGreaterThanOrEqual(gatewayLimits.quietMs);
  });

  it('ends while it waits for a path to become quiet', async () => {
    let carried = 0;
    const {
      survey: one,
      asked,
      clock,
    } = survey(
      [outlook('a'), outlook('b')],
      () => ({ downMbps: 20 }),
      () => {
        carried += 1_000_000;
        return carried;
      },
    );
    const running = one.run();
    clock.advance(5000);
    one.close();
    await running;
    expect(asked).toEqual([]);
    expect(clock.pending).toBe(0);
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
