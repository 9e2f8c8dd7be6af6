import { errorCode, errorMessage, type Logger } from '@manypath/core';
import { leaveToUserspace, type PathManagerLimits, pathManagerSysctl } from '@manypath/mptcp';
import { pathsLimits } from '../limits.ts';
import { Journal } from './journal.ts';
import {
  forgetSetting,
  type JournalEntries,
  joinOwners,
  leaveOwners,
  noteSetting,
  noteWants,
  wantedTogether,
} from './journal-entries.ts';
import { journalFolder } from './journal-folder.ts';
import type { Keeper } from './keeper.ts';
import { KernelTables } from './kernel-tables.ts';
import { type RouteSetting, type Setting, settingKey } from './plan.ts';
import { packetSizeProbing } from './sysctl.ts';

/** With rp_filter at 1 the kernel drops what arrives on a path that is not its best one (ip-sysctl.rst). */
const strictReversePath = '1';
const looseReversePath = '2';

/** The parts of {@link KernelTables} that settings need. */
export type SettingTables = Pick<
  KernelTables,
  | 'mayChange'
  | 'limits'
  | 'setLimits'
  | 'readSysctl'
  | 'writeSysctl'
  | 'endpoints'
  | 'presentSettings'
  | 'add'
  | 'remove'
  | 'canCarry'
>;

/**
 * Makes the kernel hold the wanted settings, and takes out again what it added: never anything else.
 *
 * Several Manypath processes of one network namespace share one journal; each takes out what it alone wanted, and the last to
 * leave all the rest. Everything is noted before it is changed: what a killed process leaves is undone by the next start.
 */
export class SettingsKeeper implements Keeper {
  readonly #tables: SettingTables;
  readonly #journal: Journal;
  readonly #logger: Logger;
  readonly #complained = new Set<string>();
  readonly #close: () => void;
  #permitted = true;
  #begun = false;
  /** Path manager of new sockets when nobody has it changed; known while the journal knows it, too. */
  #pathManager: string | undefined;

  /** Opens one with its own view of the kernel, which {@link end} closes: it is of no use after that. */
  static open({ stateDir, logger }: { stateDir: string; logger: Logger }): SettingsKeeper {
    const tables = KernelTables.open();
    return new SettingsKeeper(tables, new Journal(journalFolder(stateDir), logger), logger, () =>
      tables.close(),
    );
  }

  constructor(tables: SettingTables, journal: Journal, logger: Logger, close = () => {}) {
    this.#tables = tables;
    this.#journal = journal;
    this.#logger = logger;
    this.#close = close;
  }

  /** Whether this process may change the kernel's tables. */
  get permitted(): boolean {
    return this.#permitted;
  }

  /** Whether the kernel connects to addresses that peers announce. */
  get followsAnnounced(): boolean {
    return this.#tables.limits().acceptedAddresses > 0;
  }

  /**
   * Undoes what dead processes left, changes the limits on subflows, and has connections live on where larger packets begin to be
   * lost.
   *
   * @param limits As a client needs them (default), or a server that strangers reach; `unchanged`: nothing is changed at all.
   */
  async begin({ limits = 'client' }: { limits?: 'client' | 'server' | 'unchanged' } = {}): Promise<void> {
    this.#permitted = this.#tables.mayChange();
    if (!this.#permitted || this.#begun) return;
    await this.#journal.update((entries, save) => {
      if (joinOwners(entries)) this.#removeUnwanted(entries);
      else this.#undo(entries);
      this.#notePathManager(entries);
      const wanted = limits === 'unchanged' ? undefined : this.#wantedLimits(limits);
      const { name, never, whenLost } = packetSizeProbing;
      const probes = limits === 'unchanged' || this.#tables.readSysctl(name) !== never;
      if (wanted !== undefined) entries.limits ??= this.#tables.limits();
      if (!probes) entries.sysctls[name] ??= never;
      save();
      if (wanted !== undefined) this.#tables.setLimits(wanted);
      if (!probes) this.#tables.writeSysctl(name, whenLost);
    });
    this.#begun = true;
  }

  /**
   * Adds what is wanted and missing, and removes what was added and has lost its address or link, or is not wanted any more.
   *
   * @param mayStay Whether a setting that nobody wants may stay while it can carry packets. Default: every route and rule may.
   */
  async apply(
    wanted: readonly Setting[],
    mayStay: (setting: Setting) => boolean = () => true,
  ): Promise<void> {
    if (!this.#begun) await this.begin();
    if (!this.#permitted) return;
    await this.#journal.update((entries, save) => {
      const all = noteWants(entries, wanted);
      const wantedKeys = new Set(all.map(settingKey));
      const unwanted = entries.settings.filter(setting => !wantedKeys.has(settingKey(setting)));
      const stale = unwanted.filter(setting => !mayStay(setting) || this.#isStale(setting, all));
      // An endpoint goes before the routes under it, so that the peer is told while it can be.
      for (const setting of stale.reverse()) {
        if (isChanged(setting, all)) forgetSetting(entries, setting);
        else this.#remove(entries, setting);
      }
      const missing = this.#missing(entries, all, unwanted);
      const strict = this.#strictInterfaces(all);
      for (const name of strict) entries.sysctls[name] ??= strictReversePath;
      for (const setting of missing) noteSetting(entries, setting);
      save();
      for (const name of strict) this.#tables.writeSysctl(name, looseReversePath);
      for (const setting of missing) this.#add(entries, setting);
    });
  }

  /** Whether sockets can be left to user space now. */
  get mayLeaveToUserspace(): boolean {
    return this.#pathManager !== undefined;
  }

  /**
   * Has sockets that are made from now on left to user space, until what this returns is called.
   *
   * @returns `undefined` where that is not possible: nobody could put it back after a kill, or there is no such path manager.
   */
  leaveToUserspace(): (() => void) | undefined {
    return this.#pathManager === undefined ? undefined : leaveToUserspace(this.#pathManager);
  }

  /**
   * Leaves, and takes out what only this process wanted; when nobody else is left, everything is undone. {@link apply} begins
   * again.
   */
  async end(): Promise<void> {
    try {
      if (this.#begun) await this.#leave();
    } finally {
      this.#close();
    }
  }

  async #leave(): Promise<void> {
    this.#pathManager = undefined;
    await this.#journal.update(entries => {
      if (leaveOwners(entries)) this.#removeUnwanted(entries);
      else this.#undo(entries);
    });
    this.#begun = false;
  }

  /** An endpoint makes connections use its path, so it goes at once; what routes packets may stay while it can carry some. */
  #isStale(setting: Setting, wanted: readonly Setting[]): boolean {
    return setting.type === 'endpoint' || isReplaced(setting, wanted) || !this.#tables.canCarry(setting);
  }

  /** What is wanted and not there; notes by the way what is there under another key. */
  #missing(entries: JournalEntries, wanted: readonly Setting[], before: readonly Setting[]): Setting[] {
    const present = this.#tables.presentSettings();
    const others = this.#endpointsOfOthers(entries, before);
    return wanted.filter(setting => {
      if (setting.type === 'endpoint' && others.has(setting.address)) return false;
      if (!present.has(settingKey(setting))) return true;
      if (before.some(other => isSameEndpoint(setting, other))) noteSetting(entries, setting);
      return false;
    });
  }

  /** Addresses of endpoints that somebody else made: they stay as they are. */
  #endpointsOfOthers(entries: JournalEntries, before: readonly Setting[]): Set<string> {
    const ours = new Set(
      [...entries.settings, ...before].flatMap(setting =>
        setting.type === 'endpoint' ? [setting.address] : [],
      ),
    );
    return new Set(
      this.#tables
        .endpoints()
        .map(({ address }) => address)
        .filter(address => !ours.has(address)),
    );
  }

  #removeUnwanted(entries: JournalEntries): void {
    const wanted = new Set(wantedTogether(entries).map(settingKey));
    for (const setting of [...entries.settings].reverse()) {
      if (!wanted.has(settingKey(setting))) this.#remove(entries, setting);
    }
  }

  #undo(entries: JournalEntries): void {
    for (const setting of [...entries.settings].reverse()) this.#remove(entries, setting);
    if (entries.limits !== null) this.#tables.setLimits(entries.limits);
    entries.limits = null;
    for (const [name, value] of Object.entries(entries.sysctls)) this.#restoreSysctl(name, value);
    entries.sysctls = {};
  }

  /** What was killed while it had the path manager changed is put right, even if others live on. */
  #notePathManager(entries: JournalEntries): void {
    const sysctl = pathManagerSysctl();
    if (sysctl === undefined) return;
    const noted = entries.sysctls[sysctl.name];
    if (noted !== undefined) this.#restoreSysctl(sysctl.name, noted);
    this.#pathManager = noted ?? this.#tables.readSysctl(sysctl.name);
    if (this.#pathManager !== undefined) entries.sysctls[sysctl.name] = this.#pathManager;
  }

  /** Puts a sysctl back, unless somebody else has changed it to something that is not ours. */
  #restoreSysctl(name: string, before: string): void {
    const ours =
      name === packetSizeProbing.name
        ? [packetSizeProbing.whenLost]
        : [looseReversePath, pathManagerSysctl()?.userspace];
    if (ours.includes(this.#tables.readSysctl(name))) this.#tables.writeSysctl(name, before);
  }

  /** Sysctls of strict reverse path filtering that drop what arrives on the paths that are wanted. */
  #strictInterfaces(wanted: readonly Setting[]): string[] {
    const interfaces = wanted.flatMap(setting =>
      setting.type === 'rule' && setting.outInterface !== null ? [setting.outInterface] : [],
    );
    return ['all', ...new Set(interfaces)]
      .map(scope => `net/ipv4/conf/${scope}/rp_filter`)
      .filter(name => this.#tables.readSysctl(name) === strictReversePath);
  }

  /**
   * Announced addresses (ADD_ADDR, RFC 8684 §3.4.1) are never asked for: a peer could have this host connect wherever it
   * likes. Those of paths come from here.
   *
   * @returns `undefined` when they are like that already.
   */
  #wantedLimits(role: 'client' | 'server'): PathManagerLimits | undefined {
    const now = this.#tables.limits();
    const subflows = Math.max(now.subflows, pathsLimits.subflowsPerConnection);
    const acceptedAddresses = role === 'server' ? 0 : now.acceptedAddresses;
    const isSo = subflows === now.subflows && acceptedAddresses === now.acceptedAddresses;
    return isSo ? undefined : { subflows, acceptedAddresses };
  }

  #add(entries: JournalEntries, setting: Setting): void {
    try {
      this.#tables.add(setting);
      this.#complained.delete(settingKey(setting));
    } catch (error) {
      forgetSetting(entries, setting);
      this.#complain(setting, error);
    }
  }

  #remove(entries: JournalEntries, setting: Setting): void {
    try {
      this.#tables.remove(setting);
    } catch (error) {
      // The kernel takes routes and rules along with an interface or an address.
      this.#logger.debug({ setting: settingKey(setting), error: errorMessage(error) }, 'already gone');
    }
    forgetSetting(entries, setting);
  }

  /** A link that is just coming up refuses for a moment; said once, tried again at the next change. */
  #complain(setting: Setting, error: unknown): void {
    const key = settingKey(setting);
    if (this.#complained.has(key)) return;
    this.#complained.add(key);
    this.#logger.debug(
      { setting: key, code: errorCode(error), error: errorMessage(error) },
      'not set up yet',
    );
  }
}

/** Whether another route takes this one's place: the gateway of the path has changed. */
function isReplaced(setting: Setting, wanted: readonly Setting[]): boolean {
  if (setting.type !== 'route') return false;
  const place = ({ table, family, destination }: RouteSetting) =>
    JSON.stringify([table, family, destination]);
  return wanted.some(other => other.type === 'route' && place(other) === place(setting));
}

/** Whether an endpoint is wanted with other flags: it is then changed in place. */
function isChanged(setting: Setting, wanted: readonly Setting[]): boolean {
  return wanted.some(other => isSameEndpoint(setting, other));
}

function isSameEndpoint(one: Setting, other: Setting): boolean {
  return one.type === 'endpoint' && other.type === 'endpoint' && one.address === other.address;
}
