import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Config, type Logger, parsePairing } from '@manypath/core';
import type { Command } from 'commander';
import { PairingFileError } from './errors.ts';
import { keptPairing } from './kept-pairing.ts';

/** Who said which relay to use, the one that counts most first. */
export type RelaySource = 'command line' | 'environment' | 'configuration' | 'pairing';

/** A pairing URL, or the URL of another proxy, and who said it. */
export interface RelayInUse {
  readonly pairing: string;
  readonly from: RelaySource;
}

/** Gives a command the options `--relay` and `--no-relay`; their value is for {@link RelayChoice.of}. */
export function withRelayOption(command: Command): Command {
  return command
    .option(
      '--relay <pairing>',
      'the relay, for this once: @FILE with its pairing URL in it, or the URL\n' +
        '(default: MANYPATH_RELAY, the configuration, what `manypath pair` keeps)',
    )
    .option('--no-relay', 'without a relay, for this once');
}

/**
 * Which relay a command uses: the one of its command line, else of the environment variable `MANYPATH_RELAY`, else of the
 * configuration, else the one that `manypath pair` keeps.
 */
export class RelayChoice {
  readonly #given: RelayInUse | undefined;
  readonly #stateDir: string;
  readonly #none: boolean;

  private constructor(given: RelayInUse | undefined, stateDir: string, none: boolean) {
    this.#given = given;
    this.#stateDir = stateDir;
    this.#none = none;
  }

  /**
   * Takes the pairing out of the environment, so that no program that is started later finds it there, and out of
   * what other users see of the command line.
   *
   * @param option The value of `--relay`; `false` for `--no-relay`.
   * @throws PairingFileError `MANYPATH_PAIRING_FILE`
   * @throws PairingInvalidError `MANYPATH_PAIRING_INVALID`
   */
  static of(
    option: string | false | undefined,
    stateDir: string,
    logger?: Pick<Logger, 'warn'>,
  ): RelayChoice {
    const variable = process.env.MANYPATH_RELAY;
    delete process.env.MANYPATH_RELAY;
    if (option === false) return new RelayChoice(undefined, stateDir, true);
    const said = option ?? (variable === '' ? undefined : variable);
    if (said === undefined) return new RelayChoice(undefined, stateDir, false);
    const pairing = said.startsWith('@') ? fileContent(said.slice(1), logger) : said;
    const from = option === undefined ? 'environment' : 'command line';
    const { secret } = parsePairing(pairing);
    if (pairing === option && secret !== '') concealArgument(option, logger);
    return new RelayChoice({ pairing, from }, stateDir, false);
  }

  /**
   * The relay to use with a configuration; `undefined` for none.
   *
   * @throws PairingFileError `MANYPATH_PAIRING_FILE`, what `manypath pair` keeps cannot be read
   */
  with(config: Pick<Config, 'relay'>): RelayInUse | undefined {
    if (this.#none) return undefined;
    if (this.#given !== undefined) return this.#given;
    if (config.relay !== undefined) return { pairing: config.relay, from: 'configuration' };
    const pairing = keptPairing(this.#stateDir);
    return pairing === undefined ? undefined : { pairing, from: 'pairing' };
  }
}

/** Far more than a pairing URL has. */
const longestFile = 65_536;

function fileContent(file: string, logger: Pick<Logger, 'warn'> | undefined): string {
  let text: string;
  try {
    const descriptor = openSync(file, 'r');
    try {
      const stats = fstatSync(descriptor);
      if (stats.isFile() && stats.size > longestFile) throw new Error('it is too long for a pairing');
      if (stats.isFile() && (stats.mode & 0o044) !== 0) {
        logger?.warn({}, `other users can read the pairing in ${file}: chmod 600 ${file}`);
      }
      text = readFileSync(descriptor, 'utf8');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new PairingFileError('read', file, error, 'name a file with the pairing in it: --relay @FILE');
  }
  return text.trim();
}

/** What stands in the command line stays in the shell's history all the same. */
function concealArgument(argument: string, logger: Pick<Logger, 'warn'> | undefined): void {
  const words = process.argv.slice(2).map(word => word.replaceAll(argument, '…'));
  // On Linux this writes over the arguments that ps shows.
  process.title = ['manypath', ...words].join(' ');
  logger?.warn(
    {},
    'the pairing stands in the command line, where others may see it, and in the history of the shell: ' +
      'better `manypath pair` once, --relay @FILE, or MANYPATH_RELAY',
  );
}
