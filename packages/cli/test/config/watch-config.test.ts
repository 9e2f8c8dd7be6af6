import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, type Config, SimulatedClock, systemClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type ConfigWatch, editConfig, watchConfig } from '../../src/config/index.ts';

let folder: string;
let file: string;
let told: Config[];
let warnings: string[];
let watching: ConfigWatch | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-watch-'));
  file = join(folder, 'config.json');
  told = [];
  warnings = [];
});
afterEach(() => {
  watching?.close();
  rmSync(folder, { recursive: true });
});

function start(place = { file, named: false }, clock: Clock = systemClock): void {
  watching = watchConfig(place, config => void told.push(config), {
    clock,
    logger: {
      info() {},
      warn: (fields, message) => void warnings.push(`${message} ${JSON.stringify(fields)}`),
    },
  });
}
const put = (local: string, name = file) => writeFileSync(name, JSON.stringify({ local: [local] }));
/** A change has been noticed, and is to be looked at. */
const seenBy = (clock: SimulatedClock) => vi.waitFor(() => expect(clock.pending).toBeGreaterThan(0), 5000);
const tells = (local: string) => vi.waitFor(() => expect(told.at(-1)).toEqual({ local: [local] }), 5000);

describe('watching the configuration', () => {
  it('tells of a change in place and of another file in its place, again and again', async () => {
    put('a');
    start();
    put('b');
    await tells('b');
    put('c', `${file}.new`);
    renameSync(`${file}.new`, file);
    await tells('c');
    put('d');
    await tells('d');
    editConfig(file, config => {
      config.local = ['e'];
    });
    await tells('e');
  });

  it('tells of a file that is made later, in folders that are made later', async () => {
    const deep = join(folder, 'x', 'y', 'config.json');
    start({ file: deep, named: false });
    mkdirSync(join(folder, 'x'));
    mkdirSync(join(folder, 'x', 'y'));
    put('a', deep);
    await tells('a');
    put('b', deep);
    await tells('b');
  });

  it('follows a link to a file elsewhere', async () => {
    mkdirSync(join(folder, 'elsewhere'));
    const real = join(folder, 'elsewhere', 'real.json');
    put('a', real);
    mkdirSync(join(folder, 'here'));
    const link = join(folder, 'here', 'config.json');
    symlinkSync(real, link);
    start({ file: link, named: true });
    put('b', real);
    await tells('b');
  });

  it('keeps the old one and says why when the new one is wrong', async () => {
    put('a');
    start();
    writeFileSync(file, '{"local":["a b"]}');
    await vi.waitFor(() => expect(warnings).toHaveLength(1), 5000);
    expect(warnings[0]).toContain('the new configuration is not used; the old one stays');
    expect(warnings[0]).toContain('local.0');
    expect(told).toEqual([]);
    put('b');
    await tells('b');
  });

  it('takes a removed file for an empty one', async () => {
    put('a');
    start();
    unlinkSync(file);
    await vi.waitFor(() => expect(told).toEqual([{}]), 5000);
    put('b');
    await tells('b');
  });

  it('takes a file that is gone for a moment for nothing', async () => {
    put('a');
    const clock = new SimulatedClock();
    start(undefined, clock);
    unlinkSync(file);
    await seenBy(clock);
    clock.advance(200);
    expect(told).toEqual([]);
    put('b');
    await vi.waitFor(() => {
      clock.advance(100);
      expect(told).toEqual([{ local: ['b'] }]);
    }, 5000);
  });

  it('keeps what a named file said when that is removed', async () => {
    put('a');
    start({ file, named: true });
    unlinkSync(file);
    await vi.waitFor(() => expect(warnings.join()).toContain('stays in force'), 5000);
    expect(told).toEqual([]);
  });

  it('tells of nothing when nothing has changed, and after it was closed', async () => {
    put('a');
    const clock = new SimulatedClock();
    start(undefined, clock);
    put('a');
    await seenBy(clock);
    clock.advance(60_000);
    expect(told).toEqual([]);
    watching?.close();
    // Another one that watches the same tells when both have had the chance.
    const witnessed: Config[] = [];
    const witness = watchConfig({ file, named: false }, config => void witnessed.push(config), {
      logger: { info() {}, warn() {} },
    });
    onTestFinished(() => witness.close());
    put('b');
    await vi.waitFor(() => expect(witnessed).toEqual([{ local: ['b'] }]), 5000);
    clock.advance(60_000);
    expect(told).toEqual([]);
  });
});
