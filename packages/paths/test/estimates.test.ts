import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Estimates } from '../src/learned/estimates.ts';
import { pathsLimits } from '../src/limits.ts';

const nothing = { rttMs: undefined, downMbps: undefined, upMbps: undefined };
const minute = 60_000;
const day = 24 * 60 * minute;

let folder: string;
let clock: SimulatedClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-estimates-'));
  clock = new SimulatedClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => join(folder, 'estimates.json');
const open = () => Estimates.open(file(), { clock, now: () => 1_700_000_000_000 + clock.now() });
const wlan = { path: 'wlan0', network: 'home' };

describe('estimates', () => {
  it('know nothing of a path that was not measured', async () => {
    const estimates = open();
    estimates.note({ ...wlan, rttMs: 12 });
    expect(estimates.of('wlan0', 'office')).toEqual(nothing);
    expect(estimates.of('wwan0', 'home')).toEqual(nothing);
    expect(estimates.of('wlan0', 'home')).toEqual({ ...nothing, rttMs: 12 });
  });

  it('take the highest rate and the least round trip', async () => {
    const estimates = open();
    for (const [rttMs, downMbps] of [
      [20, 40],
      [12, 55],
      [90, 3],
    ])
      estimates.note({ ...wlan, rttMs, downMbps });
    estimates.note({ ...wlan, upMbps: 7 });
    expect(estimates.of('wlan0', 'home')).toEqual({ rttMs: 12, downMbps: 55, upMbps: 7 });
  });

  it('go down to a lower rate that lasts, and up to a higher one at once', async () => {
    const estimates = open();
    estimates.note({ ...wlan, downMbps: 100, rttMs: 5 });
    const rates: (number | undefined)[] = [];
    for (let passed = 0; passed <= 15; passed += 1) {
      clock.advance(minute);
      estimates.note({ ...wlan, downMbps: 30, rttMs: 50 });
      rates.push(estimates.of('wlan0', 'home').downMbps);
    }
    expect(rates[0]).toBe(100);
    expect(rates[4]).toBe(100);
    expect(rates.at(-1)).toBe(30);
    expect(estimates.of('wlan0', 'home').rttMs).toBe(50);
    estimates.note({ ...wlan, downMbps: 80, rttMs: 8 });
    expect(estimates.of('wlan0', 'home')).toMatchObject({ downMbps: 80, rttMs: 8 });
  });

  it('are not overthrown by one bad measurement after a long time', async () => {
    const estimates = open();
    estimates.note({ ...wlan, downMbps: 100 });
    clock.advance(7 * day);
    estimates.note({ ...wlan, downMbps: 1 });
    expect(estimates.of('wlan0', 'home').downMbps).toBe(100);
  });

  it('are kept across restarts, each network its own', async () => {
    const before = open();
    before.note({ ...wlan, downMbps: 55.5 });
    before.note({ path: 'wlan0', network: 'café with spaces', downMbps: 2 });
    await before.close();
    expect(open().of('wlan0', 'home').downMbps).toBe(55.5);
    expect(open().of('wlan0', 'café with spaces').downMbps).toBe(2);
  });

  it('expire when they were not renewed', async () => {
    const estimates = open();
    estimates.note({ ...wlan, rttMs: 12, downMbps: 50 });
    clock.advance(30 * day);
    expect(estimates.of('wlan0', 'home').rttMs).toBe(12);
    clock.advance(1);
    expect(estimates.of('wlan0', 'home')).toEqual(nothing);
    estimates.note({ ...wlan, rttMs: 40 });
    expect(estimates.of('wlan0', 'home')).toEqual({ ...nothing, rttMs: 40 });
  });

  it('are limited in number; the oldest give way', async () => {
    const estimates = open();
    for (let number = 0; number < pathsLimits.estimates + 5; number += 1) {
      estimates.note({ path: 'wlan0', network: `${number}`, rttMs: 1 });
      clock.advance(1);
    }
    await estimates.close();
    expect(Object.keys(JSON.parse(readFileSync(file(), 'utf8')) as object)).toHaveLength(
      pathsLimits.estimates,
    );
    expect(estimates.of('wlan0', '4').rttMs).toBe(undefined);
    expect(estimates.of('wlan0', '5').rttMs).toBe(1);
  });

  it('take in nothing that cannot be', async () => {
    const estimates = open();
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      estimates.note({ ...wlan, rttMs: value, downMbps: value, upMbps: value });
    }
    expect(estimates.of('wlan0', 'home')).toEqual(nothing);
    expect(clock.pending).toBe(0);
  });

  it('leave out what is damaged and keep the rest', async () => {
    const late = { before: null, best: 20, since: 1_700_000_000_000, count: 1 };
    const at = 1_700_000_000_000;
    writeFileSync(
      file(),
      JSON.stringify({
        'wlan0 home': { at, rttMs: late, downMbps: { ...late, best: '9' }, upMbps: 7 },
        'wwan0 x': 7,
      }),
    );
    expect(open().of('wlan0', 'home')).toEqual({ ...nothing, rttMs: 20 });
    expect(open().of('wwan0', 'x')).toEqual(nothing);
  });
});
