import { isIP } from 'node:net';
import { claimed, type Setting, settingKey } from './plan.ts';
import { type ProcessIdentity, processStartTime, thisProcess } from './process-identity.ts';
import { isOurSysctl } from './sysctl.ts';

/** A process that relies on what was set up. */
export interface JournalOwner extends ProcessIdentity {
  /** What it wants set up: it goes when no owner wants it any more. */
  wants: Setting[];
}

/** What Manypath changed in one network namespace, and which processes still rely on it. */
export interface JournalEntries {
  /** Processes that share the settings; the last one to leave takes them all out. */
  owners: JournalOwner[];
  /** What was added, and only that: what was there before is nobody's to remove. */
  settings: Setting[];
  /** MPTCP limits as they were, when they were raised. */
  limits: { subflows: number; acceptedAddresses: number } | null;
  /** Sysctls as they were, by their path below /proc/sys: those that were changed, and those that may be at any moment. */
  sysctls: Record<string, string>;
}

export function emptyEntries(): JournalEntries {
  return { owners: [], settings: [], limits: null, sysctls: {} };
}

/** Adds this process to the owners and drops those that have died. @returns Whether any other one lives. */
export function joinOwners(entries: JournalEntries): boolean {
  const others = livingOthers(entries);
  const own = entries.owners.find(isThisProcess) ?? { ...thisProcess(), wants: [] };
  entries.owners = [...others, own];
  return others.length > 0;
}

/** Takes this process out of the owners. @returns Whether any other one lives. */
export function leaveOwners(entries: JournalEntries): boolean {
  entries.owners = livingOthers(entries);
  return entries.owners.length > 0;
}

/** Whether anybody relies on what is set up. */
export function hasLivingOwner(entries: JournalEntries): boolean {
  return entries.owners.some(isThisProcess) || livingOthers(entries).length > 0;
}

/** Notes what this process wants, which has joined. @returns What all owners want together. */
export function noteWants(entries: JournalEntries, wanted: readonly Setting[]): Setting[] {
  joinOwners(entries);
  for (const owner of entries.owners) if (isThisProcess(owner)) owner.wants = [...wanted];
  return wantedTogether(entries);
}

/** What all owners want; where one wants an endpoint for backup and another in full, in full. */
export function wantedTogether({ owners }: JournalEntries): Setting[] {
  const all = new Map<string, Setting>();
  for (const setting of owners.flatMap(({ wants }) => wants)) {
    const place = setting.type === 'endpoint' ? `endpoint ${setting.address}` : settingKey(setting);
    const before = all.get(place);
    if (before === undefined || (before.type === 'endpoint' && before.backup)) all.set(place, setting);
  }
  return [...all.values()];
}

/** Notes a setting that is about to be made. */
export function noteSetting(entries: JournalEntries, setting: Setting): void {
  if (entries.settings.some(noted => settingKey(noted) === settingKey(setting))) return;
  entries.settings.push(setting);
}

/** Forgets a setting that is not there any more, or was never made. */
export function forgetSetting(entries: JournalEntries, setting: Setting): void {
  entries.settings = entries.settings.filter(noted => settingKey(noted) !== settingKey(setting));
}

function livingOthers({ owners }: JournalEntries): JournalOwner[] {
  return owners.filter(owner => !isThisProcess(owner) && processStartTime(owner.pid) === owner.startTime);
}

function isThisProcess({ pid, startTime }: ProcessIdentity): boolean {
  const self = thisProcess();
  return pid === self.pid && startTime === self.startTime;
}

/**
 * Reads what a file holds: what is not of the right shape is left out, and all the rest is good.
 *
 * @throws TypeError when it is no object at all
 */
export function readEntries(value: unknown): JournalEntries {
  if (!isObject(value)) throw new TypeError('it is no object');
  const { owners, settings, limits, sysctls } = value;
  return {
    owners: list(owners).flatMap(readOwner),
    settings: list(settings).filter(isSetting),
    limits: isLimits(limits) ? limits : null,
    sysctls: Object.fromEntries(
      Object.entries(isObject(sysctls) ? sysctls : {}).filter(
        (entry): entry is [string, string] =>
          isOurSysctl(entry[0]) && /^[a-z0-9]{1,16}$/.test(String(entry[1])),
      ),
    ),
  };
}

function readOwner(value: unknown): JournalOwner[] {
  if (!isObject(value)) return [];
  const { pid, startTime, wants } = value;
  if (!isCount(pid) || typeof startTime !== 'string') return [];
  return [{ pid, startTime, wants: list(wants).filter(isSetting) }];
}

function isSetting(value: unknown): value is Setting {
  if (!isObject(value)) return false;
  const {
    type,
    family,
    device,
    index,
    address,
    table,
    priority,
    from,
    outInterface,
    gateway,
    source,
    destination,
  } = value;
  if (family !== 4 && family !== 6) return false;
  switch (type) {
    case 'endpoint':
      return isAddress(address) && typeof device === 'string' && isCount(index);
    case 'rule':
      return (
        isOurTable(table) &&
        priority === claimed.rulePriority &&
        isNullOr(isAddress, from) &&
        isNullOr(isText, outInterface)
      );
    case 'route':
      return (
        isOurTable(table) &&
        isCount(index) &&
        isText(device) &&
        isNullOr(isAddress, gateway) &&
        isAddress(source) &&
        isNullOr(isNetwork, destination)
      );
    default:
      return false;
  }
}

/** A damaged journal must not take away what others have set up. */
function isOurTable(value: unknown): boolean {
  return isCount(value) && value > claimed.firstTable;
}

function isLimits(value: unknown): value is NonNullable<JournalEntries['limits']> {
  if (!isObject(value)) return false;
  return [value.subflows, value.acceptedAddresses].every(limit => isCount(limit) && limit <= highestLimit);
}

/** `MPTCP_PM_ADDR_MAX` of the kernel, net/mptcp/protocol.h: it refuses higher limits. */
const highestLimit = 8;

function isNetwork(value: unknown): boolean {
  return isObject(value) && isAddress(value.address) && isCount(value.prefixLength);
}

function isNullOr(is: (value: unknown) => boolean, value: unknown): boolean {
  return value === null || is(value);
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && isIP(value) !== 0;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
