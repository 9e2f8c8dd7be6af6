import { realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder, replaceFile } from '@manypath/files';
import { parseConfigFile, readConfigText } from './config-file.ts';
import { ConfigFileError } from './errors.ts';

/** A configuration as it stands in the file. */
export type RawConfig = Record<string, unknown>;

/**
 * Changes a configuration file and leaves all else in it as it is; makes it, for its owner alone, where there is none. One with the
 * pairing with a relay is closed to others.
 * Nothing is written unless the outcome is a configuration.
 *
 * @throws ConfigFileError `MANYPATH_CONFIG_FILE`
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`, before the change or by it
 */
export function editConfig(file: string, change: (config: RawConfig) => void): void {
  const before = readConfigText(file) ?? '{}';
  parseConfigFile(before, file);
  const config = JSON.parse(before) as RawConfig;
  change(config);
  const after = `${JSON.stringify(config, null, indentOf(before))}\n`;
  parseConfigFile(after, file);
  try {
    makeFolder(dirname(file));
    const target = followed(file);
    const mode = 'relay' in config ? 0o600 : modeOf(target);
    replaceFile(target, after, { mode, durable: true });
  } catch (error) {
    throw new ConfigFileError('write', file, error);
  }
}

/**
 * What a configuration file says; empty where there is none.
 *
 * @throws ConfigFileError `MANYPATH_CONFIG_FILE`
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`
 */
export function readRawConfig(file: string): RawConfig {
  const text = readConfigText(file) ?? '{}';
  parseConfigFile(text, file);
  return JSON.parse(text) as RawConfig;
}

/** A link to a file elsewhere stays one. */
function followed(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return file;
  }
}

/** As it was; a new one is for its owner alone. */
function modeOf(file: string): number {
  try {
    return statSync(file).mode & 0o777;
  } catch {
    return 0o600;
  }
}

/** As the file has it, else two spaces. */
function indentOf(text: string): string {
  return /^\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? '  ';
}
