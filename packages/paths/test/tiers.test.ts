import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SimulatedClock } from '@manypath/core';
import type { SocketInfo } from '@manypath/mptcp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Path } from '../src/discovery/path.ts';
import { ruleFor, tierAtCap } from '../src/tiers/path-rules.ts';
import { Tiers, type TiersOptions } from '../src/tiers/tier-keeper.ts';

const zone = process.env.TZ;
let folder: string;
let clock: SimulatedClock;
let changes: (readonly string[])[];
let opened: Tiers[];
beforeEach(() => {
  process.env.TZ = 'UTC';
  folder = mkdtempSync(join(tmpdir(), 'manypath-tiers-'));
  clock = new SimulatedClock();
  changes = [];
  opened = [];
});
afterEach(async () => {
  for (const tiers of opened) await tiers.close();
  rmSync(folder, { recursive: true });
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

/** Noon. */
const start = Date.parse('2025-07-10T12:00:00Z');
const hour = 3_600_000;

/** A connection whose subflows carry what a test says. */
class Flows {
  readonly socket = Object.assign(new EventEmitter(), { destroyed: false }) as unknown as Socket;
  readonly #bytes = new Map<string, number>();
  #total = 0;

  carry(address: string, bytes: number): void {
    this.#bytes.set(address, this.of(address) + bytes);
    this.#total += bytes;
  }

  drop(address: string): void {
    this.#bytes.delete(address);
  }

  of(address: string): number {
    return this.#bytes.get(address) ?? 0;
  }

  readonly read = (): SocketInfo => {
    const subflows = [...this.#bytes].map(([address, bytesReceived]) => ({
      ...{ local: { address, port: 1 }, remote: { address: '192.0.2.9', port: 2 } },
      ...{ bytesReceived, bytesSent: 0, bytesAcked: 0, segmentSize: 1_000_000, rttMs: 20 },
    }));
    const whole = { multipath: true, reason: 'multipath', bytesReceived: this.#total, bytesSent: 0 };
    return { ...whole, subflows } as unknown as SocketInfo;
  };
}

function open(rules?: TiersOptions['rules'], read?: TiersOptions['read']): Tiers {
  const tiers = Tiers.open({
    file: join(folder, 'usage.json'),
    ...(rules === undefined ? {} : { rules }),
    clock,
    now: () => start + clock.now(),
    logger: { info() {}, warn() {} },
    ...(read === undefined ? {} : { read }),
  });
  tiers.usePaths([pathOf(wwan, '192.0.2.1'), pathOf(wlan, '192.0.2.2')]);
  tiers.onChange(changed => changes.push(changed));
  tiers.tierOf(wwan);
  tiers.tierOf(wlan);
  opened.push(tiers);
  return tiers;
}

const wwan = { name: 'wwan0', kind: 'cellular' } as const;
const wlan = { name: 'wlan0', kind: 'wifi' } as const;

function pathOf(path: typeof wwan | typeof wlan, address: string): Path {
  const addresses = [{ address, family: 4, prefixLength: 24, gateway: '192.0.2.254' }] as const;
  return { ...path, index: 1, network: 'a network', metric: 100, addresses };
}

describe('rules', () => {
  it('are the usual ones of the kind where nothing is said', async () => {
    const tiers = open();
    expect(tiers.tierOf(wwan)).toBe('secondary');
    expect(tiers.tierOf({ name: 'usb0', kind: 'usb' })).toBe('secondary');
    expect(tiers.tierOf(wlan)).toBe('primary');
    expect(tiers.tierOf({ name: 'eth0', kind: 'ethernet' })).toBe('primary');
  });

  it('say of a name what goes before what is said of its kind, key by key', async () => {
    const rules = {
      'kind:cellular': { tier: 'backup', dailyCapBytes: 5, resetDay: 3 },
      wwan0: { dailyCapBytes: 7 },
      constructor: {},
    } as const;
    expect(ruleFor(rules, 'wwan0', 'cellular')).toEqual({ tier: 'backup', dailyCapBytes: 7, resetDay: 3 });
    expect(ruleFor(rules, 'wwan1', 'cellular')).toEqual({ tier: 'backup', dailyCapBytes: 5, resetDay: 3 });
    expect(ruleFor({}, 'toString', 'wifi')).toEqual({ tier: 'primary' });
  });

  it('never make a path better at its cap', async () => {
    expect(tierAtCap({ tier: 'primary' })).toBe('backup');
    expect(tierAtCap({ tier: 'secondary', atCap: 'never' })).toBe('never');
    expect(tierAtCap({ tier: 'backup' })).toBe('never');
    expect(tierAtCap({ tier: 'backup', atCap: 'backup' })).toBe('backup');
    expect(tierAtCap({ tier: 'never', atCap: 'backup' })).toBe('never');
  });

  it('take effect when they change, and are told of where they do', async () => {
    const tiers = open();
    tiers.configure({ wwan0: { tier: 'never' } });
    expect(tiers.tierOf(wwan)).toBe('never');
    tiers.configure({ wwan0: { tier: 'never', dailyCapBytes: 1000 } });
    expect(changes).toEqual([['wwan0']]);
    tiers.configure({ 'kind:wifi': { tier: 'backup' } });
    expect(changes).toEqual([['wwan0'], ['wwan0', 'wlan0']]);
  });
});

describe('a cap', () => {
  it('makes a path backup when it is reached, and says so', async () => {
    const tiers = open({ wwan0: { dailyCapBytes: 1_000_000 } });
    clock.advance(60_000);
    tiers.add('wwan0', 400_000, 100_000);
    expect(tiers.usageOf('wwan0')).toEqual({
      todayBytes: 500_000,
      monthBytes: 500_000,
      dailyCapBytes: 1_000_000,
      monthlyCapBytes: null,
      capReached: false,
    });
    expect(changes).toEqual([]);
    clock.advance(60_000);
    tiers.add('wwan0', 495_000, 0);
    expect(tiers.tierOf(wwan)).toBe('backup');
    expect(tiers.usageOf('wwan0').capReached).toBe(true);
    expect(changes).toEqual([['wwan0']]);
    expect(tiers.tierOf(wlan)).toBe('primary');
  });

  for (const mbps of [8, 20, 100, 400]) {
    for (const atCap of ['never', 'backup'] as const) {
      it(`is not passed at ${mbps} Mbit/s, with what still comes until the path is left, then ${atCap}`, async () => {
        const cap = 60_000_000;
        const bytesPerMs = (mbps * 1e6) / 8000;
        const flows = new Flows();
        const tiers = open({ wwan0: { monthlyCapBytes: cap, atCap } }, flows.read);
        tiers.watch(flows.socket);
        let left = 0;
        for (let ms = 0; left < 100; ms += 1) {
          clock.advance(1);
          flows.carry('192.0.2.1', bytesPerMs);
          // Another path carries beside it, so that this one can be left at once.
          flows.carry('192.0.2.2', 1000);
          if (tiers.tierOf(wwan) === 'never') left += 1;
          expect(ms).toBeLessThan(700_000);
        }
        expect(flows.of('192.0.2.1')).toBeLessThanOrEqual(cap * 1.01);
        expect(flows.of('192.0.2.1')).toBeGreaterThan(cap - bytesPerMs * 500);
        clock.advance(5000);
        // What was foreseen and did not come changes nothing; as backup it comes back when its queues are gone.
        expect(tiers.tierOf(wwan)).toBe(atCap);
        expect(tiers.usageOf('wwan0').capReached).toBe(true);
      });
    }
  }

  it('leaves a path that is the only one that carries as backup', async () => {
    const flows = new Flows();
    const tiers = open({ wwan0: { dailyCapBytes: 10_000_000 } }, flows.read);
    tiers.watch(flows.socket);
    const seen = new Set<string>();
    for (let ms = 0; ms < 10_000; ms += 1) {
      clock.advance(1);
      flows.carry('192.0.2.1', 2500);
      seen.add(tiers.tierOf(wwan));
    }
    expect([...seen]).toEqual(['secondary', 'backup']);
  });

  it('counts more rather than less when a subflow is taken off while bytes are under way', async () => {
    const flows = new Flows();
    const tiers = open({}, flows.read);
    tiers.watch(flows.socket);
    flows.carry('192.0.2.1', 1_000_000);
    clock.advance(1000);
    const before = tiers.usageOf('wwan0').todayBytes;
    flows.drop('192.0.2.1');
    clock.advance(1000);
    const counted = tiers.usageOf('wwan0').todayBytes - before;
    expect(counted).toBeGreaterThan(1_000_000);
    expect(counted).toBeLessThan(1_200_000);
    clock.advance(5000);
    expect(tiers.usageOf('wwan0').todayBytes - before).toBe(counted);
  });

  it('begins afresh at midnight without anything being carried', async () => {
    const tiers = open({ wwan0: { dailyCapBytes: 1000 } });
    tiers.add('wwan0', 1000, 0);
    expect(tiers.tierOf(wwan)).toBe('backup');
    clock.advance(11 * hour);
    expect(tiers.tierOf(wwan)).toBe('backup');
    clock.advance(hour + 10_000);
    expect(changes).toEqual([['wwan0'], ['wwan0']]);
    expect(tiers.tierOf(wwan)).toBe('secondary');
    expect(tiers.usageOf('wwan0')).toMatchObject({ todayBytes: 0, monthBytes: 1000, capReached: false });
  });

  it('of a month begins afresh on the reset day', async () => {
    const tiers = open({ wwan0: { monthlyCapBytes: 1000, resetDay: 12 } });
    tiers.add('wwan0', 1000, 0);
    clock.advance(24 * hour);
    expect(tiers.tierOf(wwan)).toBe('backup');
    clock.advance(12 * hour + 10_000);
    expect(tiers.tierOf(wwan)).toBe('secondary');
    expect(tiers.usageOf('wwan0').monthBytes).toBe(0);
  });

  it('stays reached over a restart, and not when it is raised', async () => {
    const before = open({ wwan0: { dailyCapBytes: 1000 } });
    before.add('wwan0', 996, 0);
    await before.close();
    const tiers = open({ wwan0: { dailyCapBytes: 1000 } });
    expect(tiers.tierOf(wwan)).toBe('backup');
    tiers.configure({ wwan0: { dailyCapBytes: 2000 } });
    expect(tiers.tierOf(wwan)).toBe('secondary');
    tiers.configure({ wwan0: { dailyCapBytes: 900 } });
    expect(tiers.tierOf(wwan)).toBe('backup');
    tiers.configure({});
    expect(tiers.tierOf(wwan)).toBe('secondary');
  });

  it('counts what was carried before there was a cap', async () => {
    const tiers = open();
    tiers.add('wwan0', 5000, 0);
    tiers.configure({ 'kind:cellular': { monthlyCapBytes: 4000 } });
    expect(tiers.tierOf(wwan)).toBe('backup');
  });

  it('of a kind holds for each path of it', async () => {
    const tiers = open({ 'kind:cellular': { dailyCapBytes: 1000, atCap: 'never' } });
    tiers.add('wwan0', 1000, 0);
    expect(tiers.tierOf(wwan)).toBe('never');
    expect(tiers.tierOf({ name: 'wwan1', kind: 'cellular' })).toBe('secondary');
  });
});
