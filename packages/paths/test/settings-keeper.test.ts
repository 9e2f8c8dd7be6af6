import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathManagerSysctl } from '@manypath/mptcp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/upkeep/journal.ts';
import type { JournalEntries } from '../src/upkeep/journal-entries.ts';
import { type Setting, settingKey } from '../src/upkeep/plan.ts';
import { processStartTime } from '../src/upkeep/process-identity.ts';
import { SettingsKeeper, type SettingTables } from '../src/upkeep/settings-keeper.ts';

const quiet = { debug() {}, info() {}, warn() {} };
const pathManager = pathManagerSysctl()?.name ?? 'net/mptcp/path_manager';

/** The kernel's tables in memory, which can be made to fail. */
class Kernel implements SettingTables {
  readonly settings = new Map<string, Setting>();
  readonly sysctls = new Map([
    ['net/ipv4/conf/all/rp_filter', '1'],
    ['net/ipv4/tcp_mtu_probing', '0'],
    [pathManager, 'kernel'],
  ]);
  now = { subflows: 2, acceptedAddresses: 0 };
  permitted = true;
  fails = false;
  /** Called before each change. */
  onChange = (): void => {};

  mayChange = () => this.permitted;
  limits = () => this.now;
  readSysctl = (name: string) => this.sysctls.get(name);
  canCarry = () => true;
  presentSettings = () => new Set(this.settings.keys());
  endpoints = () =>
    [...this.settings.values()].flatMap(setting =>
      setting.type === 'endpoint'
        ? [{ ...setting, id: 1, port: undefined, flags: ['subflow' as const] }]
        : [],
    );

  setLimits(limits: { subflows: number; acceptedAddresses: number }): void {
    this.#change();
    this.now = limits;
  }

  writeSysctl(name: string, value: string): boolean {
    this.#change();
    this.sysctls.set(name, value);
    return true;
  }

  add(setting: Setting): void {
    this.#change();
    this.settings.set(settingKey(setting), setting);
  }

  remove(setting: Setting): void {
    this.#change();
    if (!this.settings.delete(settingKey(setting))) throw new Error('there is none');
  }

  /** All of it, to be compared. */
  state(): object {
    return { settings: [...this.settings.keys()].sort(), limits: this.now, sysctls: [...this.sysctls] };
  }

  #change(): void {
    this.onChange();
    if (this.fails) throw Object.assign(new Error('interrupted'), { code: 'EINTR' });
  }
}

const endpoint = (address: string, backup = false): Setting => {
  return { type: 'endpoint', address, family: 4, device: 'wlan0', index: 3, backup };
};
const rule = (from: string): Setting => {
  return { type: 'rule', family: 4, priority: 27_700, table: 77_003, from, outInterface: null };
};
const wlan = [rule('192.0.2.1'), endpoint('192.0.2.1')];
const wwan = [rule('192.0.2.2'), endpoint('192.0.2.2')];
const keys = (settings: readonly Setting[]) => settings.map(settingKey).sort();

let folder: string;
let kernel: Kernel;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'manypath-keeper-'));
  kernel = new Kernel();
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

const open = () => new SettingsKeeper(kernel, new Journal(folder), quiet);
const held = () => [...kernel.settings.keys()].sort();

/** Has the journal say that another process, which lives or has died, shares what is set up. */
async function addOwner(wants: Setting[], alive: boolean): Promise<void> {
  const startTime = alive ? (processStartTime(process.ppid) ?? '') : 'another boot';
  await new Journal(folder).update(entries => {
    entries.owners.push({ pid: process.ppid, startTime, wants });
  });
}

describe('the keeper of settings', () => {
  it('leaves the kernel as it was, and nothing on the disk', async () => {
    const before = kernel.state();
    const keeper = open();
    await keeper.apply([...wlan, ...wwan]);
    expect(held()).toEqual(keys([...wlan, ...wwan]));
    expect(kernel.now).toEqual({ subflows: 8, acceptedAddresses: 0 });
    await keeper.end();
    expect(kernel.state()).toEqual(before);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('has noted every change before it makes it, whenever it is killed', async () => {
    const before = kernel.state();
    const journal = new Journal(folder);
    let changes = 0;
    kernel.onChange = () => {
      changes += 1;
      noted(journal.read());
    };
    const noted = (entries: JournalEntries): void => {
      const known = new Set(keys(entries.settings));
      expect(held().filter(key => !known.has(key))).toEqual([]);
      expect(entries.sysctls[pathManager]).toBe('kernel');
      if (kernel.sysctls.get('net/ipv4/conf/all/rp_filter') === '2') {
        expect(entries.sysctls['net/ipv4/conf/all/rp_filter']).toBe('1');
      }
      if (kernel.sysctls.get('net/ipv4/tcp_mtu_probing') === '1') {
        expect(entries.sysctls['net/ipv4/tcp_mtu_probing']).toBe('0');
      }
      if (kernel.now.subflows === 8) expect(entries.limits).toEqual({ subflows: 2, acceptedAddresses: 0 });
    };
    await open().apply([...wlan, ...wwan]);
    expect(changes).toBeGreaterThanOrEqual(6);
    kernel.onChange = () => {};
    // As the next start sees it: its owner is dead.
    await journal.update(entries => {
      entries.owners = [{ pid: process.ppid, startTime: 'another boot', wants: [] }];
    });
    const next = open();
    await next.apply([]);
    await next.end();
    expect(kernel.state()).toEqual(before);
  });

  it('puts a path manager back that a killed process left, also when others live', async () => {
    for (const alive of [false, true]) {
      await new Journal(folder).update(entries => {
        entries.sysctls[pathManager] = 'kernel';
      });
      await addOwner([], alive);
      kernel.sysctls.set(pathManager, pathManagerSysctl()?.userspace ?? 'userspace');
      const keeper = open();
      await keeper.begin();
      expect(kernel.sysctls.get(pathManager)).toBe('kernel');
      expect(keeper.mayLeaveToUserspace).toBe(true);
      await keeper.end();
      expect(keeper.mayLeaveToUserspace).toBe(false);
      await new Journal(folder).update(entries => {
        entries.owners = [];
      });
    }
  });

  it('has lost packets sent again in smaller ones, for client and server, unless the user chose how', async () => {
    const probing = 'net/ipv4/tcp_mtu_probing';
    for (const limits of ['client', 'server', 'unchanged'] as const) {
      const keeper = open();
      await keeper.begin({ limits });
      expect(kernel.sysctls.get(probing)).toBe(limits === 'unchanged' ? '0' : '1');
      await keeper.end();
      expect(kernel.sysctls.get(probing)).toBe('0');
    }
    for (const own of ['1', '2']) {
      kernel.sysctls.set(probing, own);
      const keeper = open();
      await keeper.begin();
      await keeper.end();
      expect(kernel.sysctls.get(probing)).toBe(own);
    }
  });

  it("leaves a path manager alone that is the user's own choice", async () => {
    const own = pathManagerSysctl()?.userspace ?? 'userspace';
    kernel.sysctls.set(pathManager, own);
    const keeper = open();
    await keeper.begin();
    await keeper.end();
    expect(kernel.sysctls.get(pathManager)).toBe(own);
  });

  it('leaves what another process wants, and takes out what it alone wanted', async () => {
    const keeper = open();
    await keeper.apply([...wlan, ...wwan]);
    await addOwner([...wlan], true);
    await keeper.end();
    expect(held()).toEqual(keys(wlan));
    expect(kernel.now.subflows).toBe(8);
  });

  it('does not take out what another process wants while it wants something else', async () => {
    await addOwner([...wwan], true);
    const keeper = open();
    await keeper.apply(wlan);
    expect(held()).toEqual(keys([...wlan, ...wwan]));
    await keeper.apply([]);
    expect(held()).toContain(settingKey(endpoint('192.0.2.2')));
    expect(held()).not.toContain(settingKey(endpoint('192.0.2.1')));
  });

  it('takes out what a process wanted that was killed beside it', async () => {
    const keeper = open();
    await addOwner([...wwan], true);
    await keeper.apply(wlan);
    await new Journal(folder).update(entries => {
      for (const owner of entries.owners) if (owner.pid === process.ppid) owner.startTime = 'another boot';
    });
    await keeper.apply(wlan, () => false);
    expect(held()).toEqual(keys(wlan));
  });

  it('has an endpoint in full while one process wants it so', async () => {
    await addOwner([endpoint('192.0.2.1')], true);
    const keeper = open();
    await keeper.apply([endpoint('192.0.2.1', true)]);
    expect(held()).toEqual([settingKey(endpoint('192.0.2.1'))]);
  });

  it('keeps routes of a path for the moment, and its endpoint not', async () => {
    const keeper = open();
    await keeper.apply([...wlan, ...wwan]);
    await keeper.apply(wlan);
    expect(held()).toEqual(keys([...wlan, rule('192.0.2.2')]));
    await keeper.apply(wlan, () => false);
    expect(held()).toEqual(keys(wlan));
  });

  it('goes on after the kernel refused, and after the journal could not be written', async () => {
    const before = kernel.state();
    const keeper = open();
    kernel.fails = true;
    await expect(keeper.apply(wlan)).rejects.toThrow('interrupted');
    kernel.fails = false;
    await keeper.apply(wlan);
    expect(held()).toEqual(keys(wlan));
    await keeper.end();
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'a file where the folder should be');
    await expect(keeper.apply(wlan)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(kernel.state()).toEqual(before);
    rmSync(folder);
    await keeper.apply(wlan);
    expect(held()).toEqual(keys(wlan));
    await keeper.end();
    expect(kernel.state()).toEqual(before);
  });

  it('changes nothing where it may not', async () => {
    kernel.permitted = false;
    const keeper = open();
    await keeper.apply(wlan);
    expect([keeper.permitted, keeper.mayLeaveToUserspace, held()]).toEqual([false, false, []]);
    await keeper.end();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('begins anew from a journal with wrong types, and undoes what can be understood of it', async () => {
    const keeper = open();
    await keeper.apply(wlan);
    const name = readdirSync(folder)[0] ?? '';
    const { settings } = new Journal(folder).read();
    writeFileSync(join(folder, name), JSON.stringify({ owners: null, settings, limits: 7, sysctls: [] }));
    const next = open();
    await next.begin();
    expect(held()).toEqual([]);
    await next.end();
  });

  it('counts a killed process as gone', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    await new Journal(folder).update(entries => {
      entries.owners = [{ pid, startTime: processStartTime(pid) ?? '', wants: [...wwan] }];
      entries.settings = [...wwan];
    });
    for (const setting of wwan) kernel.add(setting);
    child.kill('SIGKILL');
    await once(child, 'exit');
    await open().begin();
    expect(held()).toEqual([]);
  });
});
