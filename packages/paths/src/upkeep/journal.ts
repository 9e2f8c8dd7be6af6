import { mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile, withFolderLock } from '@manypath/files';
import { type Setting, settingKey } from './plan.ts';
import { processStartTime, thisProcess } from './process-identity.ts';

/** What Manypath changed in one network namespace, and which processes still rely on it. */
export interface JournalEntries {
  /** Processes that share the settings; the last one to leave takes them out. */
  owners: { pid: number; startTime: string }[];
  /** What was added, and only that: what was there before is nobody's to remove. */
  settings: Setting[];
  /** MPTCP limits as they were, when they were raised. */
  limits: { subflows: number; acceptedAddresses: number } | null;
  /** Sysctls as they were, by their path below /proc/sys. */
  sysctls: Record<string, string>;
}

/**
 * Remembers on disk what has to be undone, so that even a killed process leaves nothing behind for good: the
 * next one to open the journal finds entries without a living owner and undoes them.
 *
 * There is one journal per network namespace. Entries are written before the kernel is changed.
 */
export class Journal {
  readonly #file: string;

  /** @param folder A folder that survives the process, but not a reboot: the kernel forgets then, too. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#file = join(folder, `paths-${networkNamespace()}.json`);
  }

  /** Reads the entries, lets `change` alter them, and writes them; no other process comes between. */
  update<T>(change: (entries: JournalEntries) => T): Promise<T> {
    return withFolderLock(dirname(this.#file), () => {
      const entries = this.read();
      const result = change(entries);
      this.#write(entries);
      return result;
    });
  }

  /** The entries now; empty ones when there is no journal or it cannot be understood. */
  read(): JournalEntries {
    try {
      return {
        ...emptyEntries(),
        ...(JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<JournalEntries>),
      };
    } catch {
      return emptyEntries();
    }
  }

  #write(entries: JournalEntries): void {
    if (entries.owners.length === 0 && isClean(entries)) {
      rmSync(this.#file, { force: true });
      return;
    }
    replaceFile(this.#file, JSON.stringify(entries));
  }
}

/** Adds this process to the owners and drops those that have died. @returns Whether any other one lives. */
export function joinOwners(entries: JournalEntries): boolean {
  const others = livingOthers(entries);
  entries.owners = [...others, thisProcess()];
  return others.length > 0;
}

/** Takes this process out of the owners. @returns Whether any other one lives. */
export function leaveOwners(entries: JournalEntries): boolean {
  entries.owners = livingOthers(entries);
  return entries.owners.length > 0;
}

/** Notes a setting that is about to be made. */
export function noteSetting(entries: JournalEntries, setting: Setting): void {
  forgetSetting(entries, setting);
  entries.settings.push(setting);
}

/** Strikes a setting that is gone. */
export function forgetSetting(entries: JournalEntries, setting: Setting): void {
  const key = settingKey(setting);
  entries.settings = entries.settings.filter(other => settingKey(other) !== key);
}

function livingOthers(entries: JournalEntries): JournalEntries['owners'] {
  return entries.owners.filter(
    ({ pid, startTime }) => pid !== process.pid && processStartTime(pid) === startTime,
  );
}

function emptyEntries(): JournalEntries {
  return { owners: [], settings: [], limits: null, sysctls: {} };
}

function isClean({ settings, limits, sysctls }: JournalEntries): boolean {
  return settings.length === 0 && limits === null && Object.keys(sysctls).length === 0;
}

/** The inode that names this process's network namespace, e.g. `4026531840`. */
function networkNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? 'unknown';
}
