import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pathsLimits } from '../src/limits.ts';
import { UsageBook } from '../src/tiers/usage-book.ts';

let folder: string;
let clock: SimulatedClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-usage-'));
  clock = new SimulatedClock();
});
afterEach(() => rmSync(folder, { recursive: true }));

const file = () => join(folder, 'usage.json');
const open = (today = '2025-07-01') => UsageBook.open(file(), today, { clock });

/** What fell due by the clock is written within the turn. */
const written = () => new Promise(resolve => setImmediate(resolve));

describe('the book of usage', () => {
  it('sums by day and over days, each path its own', async () => {
    const book = open();
    book.add('wlan0', '2025-06-30', 100);
    book.add('wlan0', '2025-07-01', 20);
    book.add('wlan0', '2025-07-01', 3);
    book.add('wwan0', '2025-07-01', 7);
    expect(book.on('wlan0', '2025-07-01')).toBe(23);
    expect(book.since('wlan0', '2025-06-30')).toBe(123);
    expect(book.since('wlan0', '2025-07-01')).toBe(23);
    expect(book.on('wwan0', '2025-06-30')).toBe(0);
    expect(book.on('eth0', '2025-07-01')).toBe(0);
    expect(book.on('constructor', '2025-07-01')).toBe(0);
  });

  it('is kept to the byte over an orderly restart', async () => {
    const book = open();
    book.add('wlan0', '2025-07-01', 123_456);
    book.noteReached('wlan0', ['day 2025-07-01 100000']);
    await book.close();
    const next = open();
    expect(next.on('wlan0', '2025-07-01')).toBe(123_456);
    expect(next.isReached('wlan0', 'day 2025-07-01 100000')).toBe(true);
    expect(next.isReached('wlan0', 'day 2025-07-01 200000')).toBe(false);
  });

  it('misses nothing that flowed evenly when it is killed at any moment', async () => {
    for (let killedAt = 100; killedAt <= 9000; killedAt += 700) {
      rmSync(file(), { force: true });
      const book = open();
      let carried = 0;
      for (let at = 0; at < killedAt; at += 100) {
        book.add('wlan0', '2025-07-01', 1000);
        carried += 1000;
        clock.advance(100);
        await written();
      }
      const counted = open().on('wlan0', '2025-07-01');
      // Before anything was written nothing can be known.
      if (killedAt > pathsLimits.usageWrittenMs) expect(counted).toBeGreaterThanOrEqual(carried);
      expect(counted).toBeLessThanOrEqual(carried + 2 * (pathsLimits.usageWrittenMs / 100) * 1000);
      await book.close();
    }
  });

  it('changes nothing for who only looks, also while another one counts', async () => {
    const book = open();
    book.add('wlan0', '2025-07-01', 1000);
    clock.advance(pathsLimits.usageWrittenMs);
    await written();
    const before = readFileSync(file(), 'utf8');
    for (let look = 0; look < 3; look += 1) {
      const other = open();
      expect(other.on('wlan0', '2025-07-01')).toBe(2000);
      await other.close();
    }
    expect(readFileSync(file(), 'utf8')).toBe(before);
    await book.close();
    expect(open().on('wlan0', '2025-07-01')).toBe(1000);
  });

  it('adds what two processes carried', async () => {
    const [one, other] = [open(), open()];
    one.add('wlan0', '2025-07-01', 1000);
    other.add('wlan0', '2025-07-01', 500);
    await one.close();
    await other.close();
    expect(open().on('wlan0', '2025-07-01')).toBe(1500);
  });

  it('keeps a limited number of days, the newest', async () => {
    const book = open();
    for (let day = 0; day < pathsLimits.usageDays + 10; day += 1) {
      const name = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10);
      book.add('wlan0', name, 1);
    }
    expect(book.since('wlan0', '0000-00-00')).toBe(pathsLimits.usageDays);
    expect(book.on('wlan0', '2025-01-10')).toBe(0);
    expect(book.on('wlan0', '2025-01-11')).toBe(1);
  });

  it('leaves out what is damaged and keeps the rest', async () => {
    const days = { '2025-07-01': 5, x: 7, '2025-07-02': '9', '2025-07-03': -1 };
    writeFileSync(file(), JSON.stringify({ wlan0: { days, unwritten: 'x', reached: 'y' }, wwan0: 3 }));
    expect(open().since('wlan0', '')).toBe(5);
    expect(open().since('wwan0', '')).toBe(0);
  });

  it('is not written where nothing was counted', async () => {
    await open().close();
    expect(() => readFileSync(file())).toThrow('ENOENT');
  });
});
