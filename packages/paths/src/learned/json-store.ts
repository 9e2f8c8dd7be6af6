import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, errorCode, errorMessage, systemClock, type Timer } from '@manypath/core';
import { pathsLimits } from '../limits.ts';
import { withFileLock } from '../upkeep/file-lock.ts';

/** Options of {@link JsonStore.open}. */
export interface JsonStoreOptions {
  /** How long changes are gathered before they are written, in milliseconds. Default `storeDebounceMs` of the limits. */
  readonly debounceMs?: number;
  readonly clock?: Clock;
  /** Told when a file cannot be read or written; the store goes on in memory. */
  readonly logger?: { warn(fields: object, message: string): void };
}

/**
 * A small value that survives restarts: a JSON file, mode 0600, replaced as a whole so that it is never half written.
 *
 * A file that is damaged or missing counts as empty. Several processes may share one: what another one wrote meanwhile
 * is read first, and the changes of this one are made again on top of it.
 */
export class JsonStore<T> {
  readonly #file: string;
  readonly #parse: (value: unknown) => T;
  readonly #debounceMs: number;
  readonly #clock: Clock;
  readonly #logger: JsonStoreOptions['logger'];
  #value: T;
  /** Names the version of the file that `#value` without `#pending` is; empty for none. */
  #version: string;
  #pending: ((value: T) => T)[] = [];
  #timer: Timer | undefined;
  #complained = false;
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
    this.#debounceMs = options.debounceMs ?? pathsLimits.storeDebounceMs;
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger;
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
    if (this.#pending.length > pathsLimits.storeChanges) this.#pending.shift();
    this.#timer ??= this.#clock.after(this.#debounceMs, () => this.flush());
  }

  /** Writes what has changed now. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
      withFileLock(`${this.#file}.lock`, () => this.#write());
      this.#complained = false;
    } catch (error) {
      this.#complain('cannot write what was learned; it is kept until this process ends', error);
    }
  }

  /** Writes what has changed; changes after it are not kept. */
  close(): void {
    this.flush();
    this.#closed = true;
  }

  #write(): void {
    if (this.#versionNow() !== this.#version) {
      this.#value = this.#pending.reduce((value, change) => change(value), this.#read());
    }
    const draft = `${this.#file}.${process.pid}`;
    try {
      writeFileSync(draft, `${JSON.stringify(this.#value)}\n`, { mode: 0o600 });
      renameSync(draft, this.#file);
    } catch (error) {
      rmSync(draft, { force: true });
      throw error;
    }
    this.#pending = [];
    this.#version = this.#versionNow();
  }

  #read(): T {
    try {
      return this.#parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.#complain('what was learned is damaged and begun anew', error);
      return this.#parse(undefined);
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

  #complain(message: string, error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#logger?.warn({ file: this.#file, error: errorMessage(error) }, message);
  }
}
