import { type FSWatcher, realpathSync, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';
import { type Clock, type Config, errorMessage, type Logger, systemClock, type Timer } from '@manypath/core';
import { type ConfigPlace, parseConfigFile, readConfigText } from './config-file.ts';

/** Options of {@link watchConfig}. */
export interface WatchConfigOptions {
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly clock?: Clock;
}

/** What ends the watching. */
export interface ConfigWatch {
  close(): void;
}

/** Editors write in several steps: how long a file has to be left alone before it is read, in milliseconds. */
const settleMs = 80;
/** A file that is gone may be about to be written anew: how long it has to be gone, in milliseconds. */
const goneMs = 1000;

/**
 * Tells of every change of the configuration: of the file, also when another one is put in its place, when it is made or
 * removed, and when it is a link to a file elsewhere. A file that cannot be used is logged, and what was before stays.
 */
export function watchConfig(
  place: ConfigPlace,
  onChange: (config: Config) => void,
  options: WatchConfigOptions,
): ConfigWatch {
  return new FolderWatch(place, onChange, options);
}

class FolderWatch implements ConfigWatch {
  readonly #place: ConfigPlace;
  readonly #onChange: (config: Config) => void;
  readonly #logger: WatchConfigOptions['logger'];
  readonly #clock: Clock;
  readonly #watchers = new Map<string, FSWatcher>();
  #text: string | undefined;
  #timer: Timer | undefined;
  #goneSince: number | undefined;
  #closed = false;

  constructor(
    place: ConfigPlace,
    onChange: (config: Config) => void,
    { logger, clock = systemClock }: WatchConfigOptions,
  ) {
    this.#place = place;
    this.#onChange = onChange;
    this.#logger = logger;
    this.#clock = clock;
    this.#text = this.#read();
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** Watches folders and not the file: that is another one after each change. */
  #arm(): void {
    const wanted = new Set([nearestFolder(this.#place.file), folderBehind(this.#place.file)]);
    for (const [folder, watcher] of this.#watchers) {
      if (wanted.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of wanted) {
      if (folder === undefined || this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon(settleMs));
        watcher.on('error', () => this.#drop(folder));
        this.#watchers.set(folder, watcher);
      } catch (error) {
        this.#logger.warn(
          { folder, error: errorMessage(error) },
          'changes of the configuration go unnoticed',
        );
      }
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close();
    this.#watchers.delete(folder);
    this.#lookSoon(settleMs);
  }

  #lookSoon(milliseconds: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(milliseconds, () => this.#look());
  }

  #look(): void {
    this.#arm();
    const text = this.#read();
    if (text === undefined && this.#text !== undefined) {
      this.#goneSince ??= this.#clock.now();
      const wait = goneMs - (this.#clock.now() - this.#goneSince);
      if (wait > 0) {
        this.#lookSoon(wait);
        return;
      }
    }
    this.#goneSince = undefined;
    if (text === this.#text) return;
    this.#text = text;
    this.#tell(text);
  }

  #tell(text: string | undefined): void {
    const { file, named } = this.#place;
    if (text === undefined && named) {
      this.#logger.warn({ file }, 'the configuration is gone; what it said stays in force');
      return;
    }
    let config: Config;
    try {
      config = text === undefined ? {} : parseConfigFile(text, file);
    } catch (error) {
      this.#logger.warn(
        { reason: errorMessage(error) },
        'the new configuration is not used; the old one stays',
      );
      return;
    }
    this.#logger.info({ file }, 'the configuration was read again');
    this.#onChange(config);
  }

  #read(): string | undefined {
    try {
      return readConfigText(this.#place.file);
    } catch (error) {
      this.#logger.warn(
        { reason: errorMessage(error) },
        'the configuration cannot be read; the old one stays',
      );
      return this.#text;
    }
  }
}

/** The folder of a file, or the nearest one above that is there. */
function nearestFolder(file: string): string {
  let folder = dirname(file);
  while (!isFolder(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** The folder that the file is really in, where it is a link. */
function folderBehind(file: string): string | undefined {
  try {
    return dirname(realpathSync(file));
  } catch {
    return undefined;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
