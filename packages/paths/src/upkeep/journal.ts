import { mkdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, errorMessage, type Logger } from '@manypath/core';
import { replaceFile, withFolderLock } from '@manypath/files';
import { networkNamespaceCookie } from '@manypath/mptcp';
import { emptyEntries, type JournalEntries, readEntries } from './journal-entries.ts';

/**
 * Remembers on disk what has to be undone, so that even a killed process leaves nothing behind for good: the
 * next one to open the journal finds entries without a living owner and undoes them.
 *
 * There is one journal per network namespace. What it says of a namespace that is gone counts for nothing: its inode, which the file
 * is named by, is soon that of another one.
 */
export class Journal {
  readonly #folder: string;
  readonly #file: string;
  readonly #namespace = identity();
  readonly #logger: Pick<Logger, 'warn'> | undefined;

  /**
   * @param folder A folder that survives the process, but not a reboot: the kernel forgets then, too. It is made with the first
   *   entry.
   * @param logger Told of a journal that cannot be understood.
   */
  constructor(folder: string, logger?: Pick<Logger, 'warn'>) {
    this.#folder = folder;
    this.#file = join(folder, `paths-${inode()}.json`);
    this.#logger = logger;
  }

  /**
   * Reads the entries, lets `change` alter them, and writes them; no other process comes between.
   *
   * @param change Calls `save` after noting what it is about to do to the kernel, and before it does it: else a process that
   *   is killed between the two leaves what nobody knows of. `save` throws when the disk is full.
   * @throws FolderBusyError `MANYPATH_FOLDER_BUSY`
   * @throws the ENOSPC and the like of a folder that cannot be written
   */
  update<T>(change: (entries: JournalEntries, save: () => void) => T): Promise<T> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    return withFolderLock(this.#folder, () => {
      const entries = this.read();
      let written = JSON.stringify(entries);
      const save = (): void => {
        const text = JSON.stringify(entries);
        if (text === written) return;
        this.#write(entries);
        written = text;
      };
      const result = change(entries, save);
      save();
      return result;
    });
  }

  /** The entries now; of a journal that is damaged, what can be understood of it. */
  read(): JournalEntries {
    try {
      const value: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      const entries = readEntries(value);
      return this.#isOfAnother(value) ? emptyEntries() : entries;
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') {
        const message =
          'the journal of what was set up here cannot be read: some of it may stay until the next reboot';
        this.#logger?.warn({ file: this.#file, error: errorMessage(error) }, message);
      }
      return emptyEntries();
    }
  }

  /** Whether a journal was written in another namespace, or before the last start of the machine. */
  #isOfAnother(value: unknown): boolean {
    const written = (value as { namespace?: unknown }).namespace;
    return typeof written === 'string' && written !== this.#namespace;
  }

  #write(entries: JournalEntries): void {
    if (isClean(entries)) rmSync(this.#file, { force: true });
    else replaceFile(this.#file, JSON.stringify({ namespace: this.#namespace, ...entries }));
  }
}

function isClean({ owners, settings, limits, sysctls }: JournalEntries): boolean {
  return owners.length === 0 && settings.length === 0 && limits === null && Object.keys(sysctls).length === 0;
}

/** The inode of this process's network namespace, e.g. `4026531840`: no other one that there is now has it. */
function inode(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? 'unknown';
}

/** Names this process's network namespace and no other one, ever. */
function identity(): string {
  return `${bootId()} ${networkNamespaceCookie() ?? ''}`;
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}
