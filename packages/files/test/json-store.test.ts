import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { filesLimits, JsonStore, unwritableCondition } from '../src/index.ts';

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
    logger: {
      warn: (_, message) => void warnings.push(message),
      info: (_, message) => void warnings.push(message),
    },
  });
const add = (name: string, count: number) => (value: Counts) => ({
  ...value,
  [name]: (value[name] ?? 0) + count,
});
const onDisk = () => JSON.parse(readFileSync(file, 'utf8')) as Counts;

describe('a store', () => {
  it('is empty where there is no file, and says nothing of it', async () => {
    expect(open().get()).toEqual({});
    expect(warnings).toEqual([]);
  });

  it('keeps a change for the next process that opens it', async () => {
    const store = open();
    store.update(add('a', 1));
    expect(store.get()).toEqual({ a: 1 });
    await store.close();
    expect(open().get()).toEqual({ a: 1 });
  });

  it('gathers changes before it writes', async () => {
    const store = open();
    store.update(add('a', 1));
    clock.advance(60);
    store.update(add('a', 1));
    clock.advance(39);
    expect(() => onDisk()).toThrow('ENOENT');
    clock.advance(1);
    await vi.waitFor(() => expect(onDisk()).toEqual({ a: 2 }));
    expect(clock.pending).toBe(0);
  });

  it('writes a file that only its owner can read, and leaves no other one', async () => {
    const store = open();
    store.update(add('a', 1));
    await store.close();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'learned'))).toEqual(['counts.json']);
  });

  for (const damage of ['', '{"a":', 'null', '"text"', '\0\0\0\0']) {
    it(`begins anew when the file is ${JSON.stringify(damage)}, and says so`, async () => {
      mkdirSync(join(folder, 'learned'));
      writeFileSync(file, damage);
      const store = open();
      expect(store.get()).toEqual({});
      expect(warnings).toEqual(['what was learned cannot be read and is begun anew']);
      store.update(add('a', 1));
      await store.close();
      expect(onDisk()).toEqual({ a: 1 });
    });
  }

  it('adds its changes to those that another process made meanwhile', async () => {
    const [one, other] = [open(), open()];
    one.update(add('a', 1));
    other.update(add('a', 10));
    other.update(add('b', 5));
    await one.flush();
    await other.flush();
    expect(onDisk()).toEqual({ a: 11, b: 5 });
    expect(other.get()).toEqual({ a: 11, b: 5 });
    one.update(add('a', 100));
    await one.flush();
    expect(onDisk()).toEqual({ a: 111, b: 5 });
  });

  it('makes no change twice', async () => {
    const store = open();
    store.update(add('a', 1));
    await store.flush();
    await store.flush();
    store.update(add('a', 1));
    clock.advance(1000);
    await store.close();
    expect(onDisk()).toEqual({ a: 2 });
  });

  it('goes on in memory where nothing can be written, says so once, and writes when it can again', async () => {
    writeFileSync(join(folder, 'learned'), 'a file where the folder should be');
    const store = open();
    expect(warnings).toEqual([]);
    for (const _ of [1, 2, 3]) {
      store.update(add('a', 1));
      await store.flush();
    }
    expect(store.get()).toEqual({ a: 3 });
    expect(warnings.splice(0)).toEqual([
      'cannot write what was learned; it is kept in memory and tried again',
    ]);
    rmSync(join(folder, 'learned'));
    clock.advance(filesLimits.storeRetryMostMs);
    await vi.waitFor(() => expect(onDisk()).toEqual({ a: 3 }));
    expect(warnings).toEqual(['what is learned is written down again']);
    expect(clock.pending).toBe(0);
  });

  it('says a full disk once together with the other stores of its folder', async () => {
    writeFileSync(join(folder, 'learned'), 'a file where the folder should be');
    const said: string[] = [];
    const logger = {
      warn: (_: object, message: string) => void said.push(message),
      info: (_: object, message: string) => void said.push(message),
    };
    const unwritable = unwritableCondition(logger);
    const stores = ['a', 'b'].map(name =>
      JsonStore.open(join(folder, 'learned', `${name}.json`), parse, { clock, logger, unwritable }),
    );
    for (const store of stores) {
      store.update(add('a', 1));
      await store.flush();
    }
    expect(said).toHaveLength(1);
    rmSync(join(folder, 'learned'));
    for (const store of stores) await store.flush();
    expect(said).toHaveLength(2);
  });

  for (const [what, spoil] of [
    ['is removed', () => rmSync(join(folder, 'learned'), { recursive: true })],
    ['is damaged', () => writeFileSync(file, '{"a":')],
  ] as const) {
    it(`knows what it knew when its file ${what} meanwhile`, async () => {
      const store = open();
      store.update(add('a', 1));
      await store.flush();
      spoil();
      store.update(add('b', 1));
      await store.flush();
      expect(onDisk()).toEqual({ a: 1, b: 1 });
    });
  }

  it('begins anew where the file is far too long', async () => {
    mkdirSync(join(folder, 'learned'));
    writeFileSync(file, '{}');
    truncateSync(file, filesLimits.storeBytes + 1);
    expect(open().get()).toEqual({});
    expect(warnings).toHaveLength(1);
  });

  it('keeps nothing after it was closed', async () => {
    const store = open();
    await store.close();
    store.update(add('a', 1));
    clock.advance(1000);
    expect(() => onDisk()).toThrow('ENOENT');
    expect(clock.pending).toBe(0);
  });
});
