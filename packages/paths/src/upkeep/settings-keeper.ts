import { errorCode, errorMessage } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import type { PathsLogger } from '../path-set.ts';
import {
  forgetSetting,
  type Journal,
  type JournalEntries,
  joinOwners,
  leaveOwners,
  noteSetting,
} from './journal.ts';
import type { Keeper } from './keeper.ts';
import type { KernelTables } from './kernel-tables.ts';
import { type RouteSetting, type Setting, settingKey } from './plan.ts';
import { readSysctl, writeSysctl } from './sysctl.ts';

/** With rp_filter at 1 the kernel drops what arrives on a path that is not its best one (ip-sysctl.rst). */
const strictReversePath = '1';
const looseReversePath = '2';

/**
 * Makes the kernel hold the wanted settings, and takes out again what it added: never anything else.
 *
 * Several Manypath processes of one network namespace share one journal; the last to leave cleans up.
 */
export class SettingsKeeper implements Keeper {
  readonly #tables: KernelTables;
  readonly #journal: Journal;
  readonly #logger: PathsLogger;
  readonly #complained = new Set<string>();
  #permitted = true;

  constructor(tables: KernelTables, journal: Journal, logger: PathsLogger) {
    this.#tables = tables;
    this.#journal = journal;
    this.#logger = logger;
  }

  /** Whether this process may change the kernel's tables. */
  get permitted(): boolean {
    return this.#permitted;
  }

  /** Undoes what dead processes left, and raises the limits on subflows. */
  async begin(): Promise<void> {
    this.#permitted = this.#tables.mayChange();
    if (!this.#permitted) return;
    await this.#journal.update(entries => {
      if (!joinOwners(entries)) this.#undo(entries);
      this.#raiseLimits(entries);
    });
  }

  /** Adds what is wanted and missing, and removes what was added and has lost its address or link. */
  async apply(wanted: readonly Setting[]): Promise<void> {
    if (!this.#permitted) return;
    await this.#journal.update(entries => {
      const wantedKeys = new Set(wanted.map(settingKey));
      const unwanted = entries.settings.filter(setting => !wantedKeys.has(settingKey(setting)));
      const stale = unwanted.filter(setting => this.#isStale(setting, wanted));
      // An endpoint goes before the routes under it, so that the peer is told while it can be.
      for (const setting of stale.reverse()) {
        if (isChanged(setting, wanted)) forgetSetting(entries, setting);
        else this.#remove(entries, setting);
      }
      this.#loosenReversePath(entries, wanted);
      const present = this.#tables.presentSettings();
      const others = this.#endpointsOfOthers(entries, unwanted);
      for (const setting of wanted) {
        if (setting.type === 'endpoint' && others.has(setting.address)) continue;
        if (!present.has(settingKey(setting))) this.#add(entries, setting);
        else if (this.#isRelabelled(setting, unwanted)) noteSetting(entries, setting);
      }
    });
  }

  /** An endpoint makes connections use its path, so it goes at once; what routes packets may stay while it can carry some. */
  #isStale(setting: Setting, wanted: readonly Setting[]): boolean {
    return setting.type === 'endpoint' || isReplaced(setting, wanted) || !this.#tables.canCarry(setting);
  }

  /** Whether a setting that is there already is one of ours that was known under another key. */
  #isRelabelled(setting: Setting, unwanted: readonly Setting[]): boolean {
    return unwanted.some(other => isSameEndpoint(setting, other));
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

  /** Leaves; when nobody else is left, everything is undone. */
  async end(): Promise<void> {
    if (!this.#permitted) return;
    await this.#journal.update(entries => {
      if (!leaveOwners(entries)) this.#undo(entries);
    });
  }

  #undo(entries: JournalEntries): void {
    for (const setting of [...entries.settings].reverse()) this.#remove(entries, setting);
    if (entries.limits !== null) this.#tables.setLimits(entries.limits);
    entries.limits = null;
    for (const [name, value] of Object.entries(entries.sysctls)) writeSysctl(name, value);
    entries.sysctls = {};
  }

  #raiseLimits(entries: JournalEntries): void {
    const before = this.#tables.limits();
    const wanted = pathsLimits.subflowsPerConnection;
    if (before.subflows >= wanted && before.acceptedAddresses >= wanted) return;
    entries.limits ??= before;
    this.#tables.setLimits({ subflows: wanted, acceptedAddresses: wanted });
  }

  #loosenReversePath(entries: JournalEntries, wanted: readonly Setting[]): void {
    const interfaces = wanted.flatMap(setting =>
      setting.type === 'rule' && setting.outInterface !== null ? [setting.outInterface] : [],
    );
    for (const scope of ['all', ...new Set(interfaces)]) {
      const name = `net/ipv4/conf/${scope}/rp_filter`;
      if (readSysctl(name) !== strictReversePath) continue;
      entries.sysctls[name] ??= strictReversePath;
      writeSysctl(name, looseReversePath);
    }
  }

  #add(entries: JournalEntries, setting: Setting): void {
    noteSetting(entries, setting);
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
