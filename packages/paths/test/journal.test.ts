import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/upkeep/journal.ts';
import {
  forgetSetting,
  joinOwners,
  leaveOwners,
  noteSetting,
  noteWants,
  readEntries,
  wantedTogether,
} from '../src/upkeep/journal-entries.ts';
import type { Setting } from '../src/upkeep/plan.ts';
import { processStartTime } from '../src/upkeep/process-identity.ts';

const endpoint: Setting = { type: 'endpoint', address: '192.0.2.1', family: 4, device: 'wlan0', index: 3 };
const other: Setting = { type: 'endpoint', address: '192.0.2.2', family: 4, device: 'wwan0', index: 4 };

const nothing = { owners: [], settings: [], limits: null, sysctls: {} };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-journal-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the journal', () => {
  it('keeps what was noted for the next process that opens it', async () => {
    await new Journal(folder).update(entries => {
      joinOwners(entries);
      noteSetting(entries, endpoint);
      entries.limits = { subflows: 2, acceptedAddresses: 0 };
      entries.sysctls['net/ipv4/conf/all/rp_filter'] = '1';
    });
    expect(new Journal(folder).read()).toMatchObject({
      settings: [endpoint],
      limits: { subflows: 2, acceptedAddresses: 0 },
      sysctls: { 'net/ipv4/conf/all/rp_filter': '1' },
    });
  });

  it('notes a setting once and forgets it by what it means', async () => {
    const journal = new Journal(folder);
    await journal.update(entries => {
      joinOwners(entries);
      noteSetting(entries, endpoint);
      noteSetting(entries, { ...endpoint });
      noteSetting(entries, other);
      forgetSetting(entries, { ...endpoint });
    });
    expect(journal.read().settings).toEqual([other]);
  });

  it('counts a living process as an owner, and a dead one not', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    const journal = new Journal(folder);
    await journal.update(entries => {
      entries.owners = [{ pid, startTime: processStartTime(pid) ?? '', wants: [] }];
    });
    expect(await journal.update(joinOwners)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await journal.update(joinOwners)).toBe(false);
    expect(journal.read().owners.map(owner => owner.pid)).toEqual([process.pid]);
  });

  it('does not take a later process with the same pid for the owner', async () => {
    const journal = new Journal(folder);
    await journal.update(entries => {
      entries.owners = [{ pid: 1, startTime: 'another boot', wants: [] }];
    });
    expect(await journal.update(joinOwners)).toBe(false);
  });

  it('leaves no file behind when nobody needs it any more', async () => {
    const journal = new Journal(folder);
    await journal.update(joinOwners);
    expect(readdirSync(folder)).toHaveLength(1);
    await journal.update(leaveOwners);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('keeps the file while something is still to be undone', async () => {
    const journal = new Journal(folder);
    await journal.update(entries => {
      joinOwners(entries);
      noteSetting(entries, endpoint);
    });
    await journal.update(leaveOwners);
    expect(journal.read().settings).toEqual([endpoint]);
  });

  it('starts anew from a file it cannot understand', async () => {
    const journal = new Journal(folder);
    await journal.update(joinOwners);
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), '{"owners": [');
    expect(journal.read()).toEqual(nothing);
  });

  it('is written before the kernel is changed', async () => {
    const journal = new Journal(folder);
    await journal.update((entries, save) => {
      joinOwners(entries);
      noteSetting(entries, endpoint);
      save();
      // A kill at this moment leaves what another process can read.
      expect(new Journal(folder).read().settings).toEqual([endpoint]);
    });
  });

  it('is not written anew when nothing changes', async () => {
    const journal = new Journal(folder);
    await journal.update(joinOwners);
    const file = join(folder, readdirSync(folder)[0] ?? '');
    const { ino } = statSync(file);
    await journal.update(joinOwners);
    expect(statSync(file).ino).toBe(ino);
  });

  it('does not mind lock files of earlier releases', async () => {
    const journal = new Journal(folder);
    await journal.update(joinOwners);
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, `${name}.lock`), '');
    expect(await journal.update(leaveOwners)).toBe(false);
  });

  it('counts for nothing in another network namespace, or after a new start of the machine', async () => {
    const journal = new Journal(folder);
    await journal.update(entries => {
      joinOwners(entries);
      entries.limits = { subflows: 1, acceptedAddresses: 1 };
    });
    const file = join(folder, readdirSync(folder)[0] ?? '');
    const written = JSON.parse(readFileSync(file, 'utf8')) as { namespace: string };
    expect(written.namespace).toMatch(/^[0-9a-f-]{36} \d+$/);
    for (const namespace of [
      written.namespace.replace(/\d+$/, '9$&'),
      written.namespace.replace(/^./, 'x'),
    ]) {
      writeFileSync(file, JSON.stringify({ ...written, namespace }));
      expect(journal.read()).toEqual(nothing);
    }
    await journal.update(joinOwners);
    expect(journal.read().limits).toBe(null);
    await journal.update(leaveOwners);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of an earlier release, which names no namespace, is believed', async () => {
    const journal = new Journal(folder);
    await journal.update(joinOwners);
    const [name = ''] = readdirSync(folder);
    writeFileSync(join(folder, name), '{"limits":{"subflows":2,"acceptedAddresses":0}}');
    expect(journal.read().limits).toEqual({ subflows: 2, acceptedAddresses: 0 });
  });

  it('says that it was damaged', async () => {
    const warnings: string[] = [];
    const journal = new Journal(folder, { warn: (_, message) => void warnings.push(message) });
    await journal.update(joinOwners);
    const [name = ''] = readdirSync(folder);
    for (const text of ['', 'null', '[]', '"x"', '\0']) {
      writeFileSync(join(folder, name), text);
      expect(journal.read()).toEqual(nothing);
    }
    expect(warnings).toHaveLength(5);
  });
});

describe('what a journal holds', () => {
  const rule: Setting = {
    type: 'rule',
    family: 4,
    priority: 27_700,
    table: 77_003,
    from: '192.0.2.1',
    outInterface: null,
  };
  const good = {
    owners: [{ pid: 5, startTime: '7', wants: [endpoint] }],
    settings: [endpoint, rule],
    limits: { subflows: 2, acceptedAddresses: 0 },
    sysctls: { 'net/mptcp/path_manager': 'kernel' },
  };

  it('is read as it was written', () => {
    expect(readEntries(JSON.parse(JSON.stringify(good)))).toEqual(good);
  });

  it('has no limits that the kernel would refuse', () => {
    for (const limit of [9, 99_999, Number.MAX_SAFE_INTEGER]) {
      expect(readEntries({ ...good, limits: { subflows: limit, acceptedAddresses: 0 } }).limits).toBe(null);
      expect(readEntries({ ...good, limits: { subflows: 2, acceptedAddresses: limit } }).limits).toBe(null);
    }
  });

  it('is good but for the part that has the wrong type', () => {
    const wrong = [null, 1, 'x', true, [null], [1], { a: null }, [{}], [[]], [{ type: 'rule' }]];
    for (const key of Object.keys(good) as (keyof typeof good)[]) {
      for (const value of wrong) {
        expect(readEntries({ ...good, [key]: value })).toEqual({ ...good, [key]: nothing[key] });
      }
    }
  });

  it('never has what is not ours undone', () => {
    const foreign = [
      { ...rule, table: 254 },
      { ...rule, priority: 0 },
      { ...rule, from: 'x' },
    ];
    const sysctls = { 'net/ipv4/ip_forward': '1', 'net/ipv4/conf/../rp_filter': '0', 'kernel/panic': '1' };
    expect(readEntries({ ...good, settings: foreign, sysctls })).toMatchObject({ settings: [], sysctls: {} });
  });

  it('is empty for what is no object', () => {
    for (const value of [null, 1, 'x', []]) expect(() => readEntries(value)).toThrow(TypeError);
  });

  it('survives any JSON', () => {
    const key = fc.constantFrom('owners', 'settings', 'limits', 'sysctls', 'pid', 'wants', 'type', 'family');
    const anyJson = fc.oneof(fc.jsonValue(), fc.dictionary(key, fc.jsonValue()));
    fc.assert(
      fc.property(anyJson, value => {
        const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
        if (isObject) expect(Object.keys(readEntries(value)).sort()).toEqual(Object.keys(nothing).sort());
      }),
    );
  });

  it('tells what all owners want together: an endpoint in full if one of them wants it so', () => {
    const backup: Setting = { ...endpoint, backup: true };
    const owner = (wants: Setting[]) => ({ pid: 1, startTime: processStartTime(1) ?? '', wants });
    for (const wants of [
      [backup, endpoint],
      [endpoint, backup],
    ]) {
      const owners = wants.map(want => owner([want]));
      expect(wantedTogether({ ...readEntries({}), owners })).toEqual([endpoint]);
    }
    const entries = { ...readEntries({}), owners: [owner([other, rule])] };
    expect(noteWants(entries, [endpoint])).toEqual([other, rule, endpoint]);
    expect(noteWants(entries, [])).toEqual([other, rule]);
  });
});
