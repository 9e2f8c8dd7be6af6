import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Config, errorCode, parseConfig } from '@manypath/core';
import { gatewayLimits } from '@manypath/gateway';
import type { Command } from 'commander';
import { ConfigFileError } from './errors.ts';

/** Where the configuration is. */
export interface ConfigPlace {
  /** Absolute. */
  readonly file: string;
  /** Whether it was named: then it has to be there. */
  readonly named: boolean;
}

/** Gives a command the option `--config`; its value is for {@link configPlace}. */
export function withConfigOption(command: Command): Command {
  return command.option(
    '--config <file>',
    'the configuration file (default: ~/.config/manypath/config.json, if there is one)',
  );
}

/**
 * Where the configuration is.
 *
 * @param chosen The value of `--config`; else `$XDG_CONFIG_HOME/manypath/config.json`, else it is below `~/.config`.
 */
export function configPlace(chosen: string | undefined): ConfigPlace {
  if (chosen !== undefined) return { file: resolve(chosen), named: true };
  return { file: join(configHome(), 'manypath', 'config.json'), named: false };
}

/**
 * Reads the configuration; an empty one where there is no file and none was named.
 *
 * @throws ConfigFileError `MANYPATH_CONFIG_FILE`
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`
 */
export function loadConfig({ file, named }: ConfigPlace): Config {
  const text = named ? readConfigText(file) : readIfAllowed(file);
  if (text === undefined && named)
    throw new ConfigFileError('read', file, new Error('there is no such file'));
  return text === undefined ? {} : parseConfigFile(text, file);
}

/**
 * Reads the text of a configuration file.
 *
 * @throws ConfigInvalidError `MANYPATH_CONFIG_INVALID`
 */
export function parseConfigFile(text: string, file: string): Config {
  return parseConfig(text, { file, limits: Object.keys(gatewayLimits) });
}

/** Nobody asked for the usual file: one of somebody else, as with sudo or setpriv, is as good as none. */
function readIfAllowed(file: string): string | undefined {
  try {
    return readConfigText(file);
  } catch (error) {
    const code = errorCode(error instanceof Error ? error.cause : undefined);
    if (code === 'EACCES' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/**
 * The text of a configuration file; `undefined` when there is none.
 *
 * @throws ConfigFileError `MANYPATH_CONFIG_FILE`
 */
export function readConfigText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new ConfigFileError('read', file, error);
  }
}

function configHome(): string {
  const fromEnvironment = process.env.XDG_CONFIG_HOME;
  // The XDG specification says that a relative path there is to be ignored.
  if (fromEnvironment?.startsWith('/')) return fromEnvironment;
  return join(homedir(), '.config');
}
