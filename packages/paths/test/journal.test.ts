import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetSetting, Journal, joinOwners, leaveOwners, noteSetting } from '../src/upkeep/journal.ts';
import type { Setting } from '../src/upkeep/plan.ts';
import { processStartTime } from '../src/upkeep/process-identity.ts';

const endpoint: Setting = { type: 'endpoint', address: '192.0.2.1', family: 4, device: 'wlan0', index: 3 };
const other: Setting = { type: 'endpoint', address: '192.0.2.2', family: 4, device: 'wwan0', index: 4 };

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
      entries.owners = [{ pid, startTime: processStartTime(pid) ?? '' }];
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
      entries.owners = [{ pid: 1, startTime: 'another boot' }];
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
    expect(journal.read()).toEqual({ owners: [], settings: [], limits: null, sysctls: {} });
  });
});
