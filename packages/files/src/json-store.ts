import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Clock,
  Condition,
  errorCode,
  errorMessage,
  type Logger,
  SerialQueue,
  silentLogger,
  systemClock,
  type Timer,
} from '@manypath/core';
import { withFolderLock } from './folder-lock.ts';
import { filesLimits } from './limits.ts';
import { makeFolder } from './make-folder.ts';
import { readOrdinaryFile } from './ordinary-file.ts';
import { replaceFile } from './replace-file.ts';

/** Options of {@link JsonStore.open}. */
export interface JsonStoreOptions {
  /** How long changes are gathered before they are written, in milliseconds. Default `storeDebounceMs` of the limits. */
  readonly debounceMs?: number;
  readonly clock?: Clock;
  /** Told when a file is damaged, and when it cannot be written; the store goes on in memory. */
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
  /** What stores share that lie in one folder, so that a full disk is said once. Default: one for this store alone. */
  readonly unwritable?: Condition;
}

/** What stores of one folder say together when they cannot write: once. */
export function unwritableCondition(logger: NonNullable<JsonStoreOptions['logger']>): Condition {
  return new Condition(logger, 'what is learned is written down again');
}

/**
 * A small value that survives restarts: a JSON file, mode 0600, replaced as a whole so that it is never half written.
 *
 * A file that is damaged or missing counts as empty. Several processes may share one: what another one wrote meanwhile
 * is read first, and the changes of this one are made again on top of it. What cannot be written is kept in memory and
 * tried again by itself.
 */
export class JsonStore<T> {
  readonly #file: string;
  readonly #parse: (value: unknown) => T;
  readonly #debounceMs: number;
  readonly #clock: Clock;
  readonly #logger: NonNullable<JsonStoreOptions['logger']>;
  readonly #unwritable: Condition;
  readonly #writes = new SerialQueue(error => this.#failed(error));
  #value: T;
  /** Names the version of the file that `#value` without `#pending` is; empty for none. */
  #version: string;
  #pending: ((value: T) => T)[] = [];
  #timer: Timer | undefined;
  #retryMs: number = filesLimits.storeRetryMs;
  #closed = false;

  /**
   * Opens a store; the folder is made with the first write.
   *
   * @param parse Makes a value of what the file holds, and an empty one of `undefined`. What it throws at counts as damage.
   */
  static open<T>(file: string, parse: (value: unknown) => T, options: JsonStoreOptions = {}): JsonStore<T> {
    return new JsonStore(file, parse, options);
  }

  private constructor(file: string, parse: (value: unknown) => T, options: JsonStoreOptions) {
    this.#file = file;
    this.#parse = parse;
    this.#debounceMs = options.debounceMs ?? filesLimits.storeDebounceMs;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#unwritable = options.unwritable ?? unwritableCondition(this.#logger);
    this.#version = this.#versionNow();
    this.#value = this.#read();
  }

  /** The value now; not to be changed but by {@link update}. */
  get(): T {
    return this.#value;
  }

  /**
   * Changes the value, and the file a little later.
   *
   * @param change Returns the new value and leaves the old one alone. It must depend on its argument only: it is called
   *   once more when another process has written to the file.
   */
  update(change: (value: T) => T): void {
    this.#value = change(this.#value);
    if (this.#closed) return;
    this.#pending.push(change);
    if (this.#pending.length > filesLimits.storeChanges) this.#pending.shift();
    this.#writeAfter(this.#debounceMs);
  }

  /** Writes what has changed now. Never rejected: what cannot be written is said, and tried again. */
  flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pending.length > 0) this.#writes.post(() => this.#flushNow());
    return this.#writes.idle;
  }

  /** Writes what has changed; changes after it are not kept. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    this.#timer?.cancel();
  }

  #writeAfter(milliseconds: number): void {
    this.#timer ??= this.#clock.after(milliseconds, () => void this.flush());
  }

  async #flushNow(): Promise<void> {
    if (this.#pending.length === 0) return;
    const folder = dirname(this.#file);
    makeFolder(folder);
    await withFolderLock(folder, () => this.#write());
    this.#retryMs = filesLimits.storeRetryMs;
    this.#unwritable.ends(this);
  }

  #failed(error: unknown): void {
    this.#unwritable.begins(
      this,
      { file: this.#file, error: errorMessage(error) },
      'cannot write what was learned; it is kept in memory and tried again',
    );
    if (this.#closed) return;
    this.#writeAfter(this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, filesLimits.storeRetryMostMs);
  }

  #write(): void {
    if (this.#versionNow() !== this.#version) {
      // What is gone or damaged now is known here still.
      const written = this.#tryToRead();
      if (written !== undefined) {
        this.#value = this.#pending.reduce((value, change) => change(value), written.value);
      }
    }
    replaceFile(this.#file, `${JSON.stringify(this.#value)}\n`);
    this.#pending = [];
    this.#version = this.#versionNow();
  }

  #read(): T {
    return (this.#tryToRead() ?? { value: this.#parse(undefined) }).value;
  }

  #tryToRead(): { value: T } | undefined {
    try {
      return { value: this.#parse(JSON.parse(readOrdinaryFile(this.#file))) };
    } catch (error) {
      const code = errorCode(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') {
        const message = 'what was learned cannot be read and is begun anew';
        this.#logger.warn({ file: this.#file, error: errorMessage(error) }, message);
      }
      return undefined;
    }
  }

  /** Every write makes a new file, so that its inode and times tell it apart. */
  #versionNow(): string {
    try {
      const { ino, mtimeNs, size } = statSync(this.#file, { bigint: true });
      return `${ino} ${mtimeNs} ${size}`;
    } catch {
      return '';
    }
  }
}
