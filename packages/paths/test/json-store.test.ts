import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JsonStore } from '../src/learned/json-store.ts';

type Counts = Record<string, number>;

let folder: string;
let file: string;
let clock: SimulatedClock;
let warnings: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-store-'));
  file = join(folder, 'learned', 'counts.json');
  clock = new SimulatedClock();
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const parse = (value: unknown): Counts => {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null) throw new Error('no counts');
  return value as Counts;
};
const open = (debounceMs = 100) =>
  JsonStore.open(file, parse, {
    debounceMs,
    clock,
    logger: { warn: (_, message) => warnings.push(message) },
  });
const add = (name: string, count: number) => (value: Counts) => ({
  ...value,
  [name]: (value[name] ?? 0) + count,
});
const onDisk = () => JSON.parse(readFileSync(file, 'utf8')) as Counts;

describe('a store', () => {
  it('is empty where there is no file, and says nothing of it', () => {
    expect(open().get()).toEqual({});
    expect(warnings).toEqual([]);
  });

  it('keeps a change for the next process that opens it', () => {
    const store = open();
    store.update(add('a', 1));
    expect(store.get()).toEqual({ a: 1 });
    store.close();
    expect(open().get()).toEqual({ a: 1 });
  });

  it('gathers changes before it writes', () => {
    const store = open();
    store.update(add('a', 1));
    clock.advance(60);
    store.update(add('a', 1));
    clock.advance(39);
    expect(() => onDisk()).toThrow('ENOENT');
    clock.advance(1);
    expect(onDisk()).toEqual({ a: 2 });
    expect(clock.pending).toBe(0);
  });

  it('writes a file that only its owner can read, and leaves no other one', () => {
    const store = open();
    store.update(add('a', 1));
    store.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'learned'))).toEqual(['counts.json']);
  });

  for (const damage of ['', '{"a":', 'null', '"text"', '\0\0\0\0']) {
    it(`begins anew when the file is ${JSON.stringify(damage)}, and says so`, () => {
      mkdirSync(join(folder, 'learned'));
      writeFileSync(file, damage);
      const store = open();
      expect(store.get()).toEqual({});
      expect(warnings).toEqual(['what was learned is damaged and begun anew']);
      store.update(add('a', 1));
      store.close();
      expect(onDisk()).toEqual({ a: 1 });
    });
  }

  it('adds its changes to those that another process made meanwhile', () => {
    const [one, other] = [open(), open()];
    one.update(add('a', 1));
    other.update(add('a', 10));
    other.update(add('b', 5));
    one.flush();
    other.flush();
    expect(onDisk()).toEqual({ a: 11, b: 5 });
    expect(other.get()).toEqual({ a: 11, b: 5 });
    one.update(add('a', 100));
    one.flush();
    expect(onDisk()).toEqual({ a: 111, b: 5 });
  });

  it('makes no change twice', () => {
    const store = open();
    store.update(add('a', 1));
    store.flush();
    store.flush();
    store.update(add('a', 1));
    clock.advance(1000);
    store.close();
    expect(onDisk()).toEqual({ a: 2 });
  });

  it('goes on in memory where nothing can be written, and says so once', () => {
    writeFileSync(join(folder, 'learned'), 'a file where the folder should be');
    const store = open();
    expect(warnings.splice(0)).toEqual(['what was learned is damaged and begun anew']);
    store.update(add('a', 1));
    clock.advance(100);
    store.update(add('a', 1));
    clock.advance(100);
    expect(store.get()).toEqual({ a: 2 });
    rmSync(join(folder, 'learned'));
    store.close();
    expect(onDisk()).toEqual({ a: 2 });
  });

  it('keeps nothing after it was closed', () => {
    const store = open();
    store.close();
    store.update(add('a', 1));
    clock.advance(1000);
    expect(() => onDisk()).toThrow('ENOENT');
    expect(clock.pending).toBe(0);
  });
});
