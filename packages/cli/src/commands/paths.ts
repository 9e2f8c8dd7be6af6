import {
  errorCode,
  formatBytes,
  type PathStatus,
  type PathTier,
  parseSize,
  SizeInvalidError,
} from '@manypath/core';
import { ControlClient } from '@manypath/gateway';
import { reportPaths, Tiers } from '@manypath/paths';
import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { configPlace, editConfig, loadConfig, withConfigOption } from '../config/index.ts';
import { stateFolder } from '../state-folder.ts';
import { createLogger, sayToPeople } from '../terminal/log.ts';
import { pathsText } from '../terminal/paths-text.ts';
import { unknownInterfaces } from '../unknown-interfaces.ts';
import { usageFile } from '../usage-file.ts';

interface PathsOptions extends CommonOptions {
  config?: string;
}

interface SetOptions extends PathsOptions {
  dailyCap?: string;
  monthlyCap?: string;
  resetDay?: number;
  atCap?: 'backup' | 'never';
}

const tiers = ['primary', 'secondary', 'backup', 'never'] as const;

/** `manypath paths`: what paths there are, what they carried, and what they may. */
export function addPathsCommand(program: Command): void {
  const command = withConfigOption(withCommonOptions(program.command('paths')))
    .summary('list the paths; set their tiers and caps')
    .description(
      'Lists the paths with their tier, health, rate, round trip and what they carried for\n' +
        'Manypath: from the gateway that runs, or as they are when none does.',
    )
    .addHelpText('after', '\nSet a tier or a cap: manypath paths set --help')
    .action(listPaths);
  withConfigOption(withCommonOptions(command.command('set')))
    .summary('set the tier and the caps of a path')
    .description(
      'Writes to the configuration file; a gateway that runs takes it over at once.\n\n' +
        'Tiers:\n' +
        '  primary    used as much as it helps\n' +
        '  secondary  helps where it pays most, and is spared else: for links that cost\n' +
        '  backup     carries nothing while another path works\n' +
        '  never      is not used\n\n' +
        'Caps hold for what Manypath carries, in and out together:\n' +
        '  manypath paths set wwan0 secondary --daily-cap 500MB --monthly-cap 10GB\n' +
        '  manypath paths set kind:cellular backup',
    )
    .addArgument(new Argument('<path>', 'an interface (wlan0), or kind:KIND for all paths of a kind'))
    .addArgument(new Argument('<tier>', 'what it may').choices(tiers))
    .option('--daily-cap <size>', 'most from midnight to midnight, e.g. 500MB; none for no cap', readCap)
    .option('--monthly-cap <size>', 'most from reset day to reset day, e.g. 10GB; none for no cap', readCap)
    .option('--reset-day <day>', 'day on which the month begins, 1 to 31', readDay)
    .addOption(new Option('--at-cap <tier>', 'its tier once a cap is reached').choices(['backup', 'never']))
    .action(setPath);
}

async function listPaths(options: PathsOptions): Promise<void> {
  const paths = (await fromGateway(options)) ?? discovered(options);
  process.stdout.write(options.json ? `${JSON.stringify({ paths })}\n` : pathsText(paths));
}

/** `undefined` when no gateway runs. */
async function fromGateway({ state }: PathsOptions): Promise<readonly PathStatus[] | undefined> {
  let client: ControlClient;
  try {
    client = await ControlClient.connect(stateFolder(state));
  } catch (error) {
    if (errorCode(error) === 'MANYPATH_GATEWAY_NOT_RUNNING') return undefined;
    throw error;
  }
  try {
    return (await client.status()).paths;
  } finally {
    client.close();
  }
}

function discovered({ config, state, logLevel, json }: PathsOptions): readonly PathStatus[] {
  const rules = loadConfig(configPlace(config)).paths ?? {};
  const tiers = Tiers.open({
    file: usageFile(stateFolder(state)),
    rules,
    logger: createLogger(logLevel, json),
  });
  try {
    return reportPaths(
      tiers,
      Object.keys(rules).filter(name => !name.startsWith('kind:')),
    );
  } finally {
    void tiers.close();
  }
}

function setPath(path: string, tier: PathTier, options: SetOptions): void {
  const { file } = configPlace(options.config);
  let entry: Record<string, unknown> = {};
  editConfig(file, config => {
    const paths = { ...(config.paths as Record<string, unknown> | undefined) };
    entry = changed(Object.hasOwn(paths, path) ? paths[path] : undefined, tier, options);
    const isTierOnly = Object.keys(entry).length === 1;
    // A plain assignment to `__proto__` would be lost.
    Object.defineProperty(paths, path, {
      value: isTierOnly ? tier : entry,
      enumerable: true,
      writable: true,
      configurable: true,
    });
    config.paths = paths;
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ event: 'set', path, ...entry, config: file })}\n`);
    return;
  }
  process.stdout.write(`${path}: ${describeEntry(entry)}.\nWritten to ${file}\n`);
  const unknown = unknownInterfaces([path].filter(name => !name.startsWith('kind:')));
  if (unknown !== undefined) sayToPeople(`${unknown}; it counts once there is one`);
}

/** What the file said of the path, with what is new. */
function changed(before: unknown, tier: PathTier, options: SetOptions): Record<string, unknown> {
  const entry: Record<string, unknown> = {
    ...(typeof before === 'object' && before !== null ? before : {}),
    tier,
  };
  const caps = { dailyCap: options.dailyCap, monthlyCap: options.monthlyCap };
  for (const [name, cap] of Object.entries(caps)) {
    if (cap === 'none') delete entry[name];
    else if (cap !== undefined) entry[name] = cap;
  }
  if (options.resetDay !== undefined) entry.resetDay = options.resetDay;
  if (options.atCap !== undefined) entry.atCap = options.atCap;
  return entry;
}

function describeEntry({ tier, dailyCap, monthlyCap, resetDay, atCap }: Record<string, unknown>): string {
  const caps: string[] = [];
  if (dailyCap !== undefined) caps.push(`${sizeText(dailyCap)} a day`);
  if (monthlyCap !== undefined) caps.push(`${sizeText(monthlyCap)} a month from day ${resetDay ?? 1} on`);
  if (caps.length === 0) return String(tier);
  const then = atCap ?? (tier === 'backup' ? 'never' : 'backup');
  return `${tier}, at most ${caps.join(' and ')}, then ${then}`;
}

function sizeText(size: unknown): string {
  return typeof size === 'number' ? formatBytes(size) : String(size);
}

/** @returns As it was written, which is what goes into the file. */
function readCap(text: string): string {
  try {
    if (text !== 'none') parseSize(text);
    return text;
  } catch (error) {
    if (error instanceof SizeInvalidError)
      throw new InvalidArgumentError(`It must be a number and a unit, like 500MB or '1.5 GiB', or none.`);
    throw error;
  }
}

function readDay(text: string): number {
  const day = Number(text);
  if (/^\d{1,2}$/.test(text) && day >= 1 && day <= 31) return day;
  throw new InvalidArgumentError('It must be a day of the month, 1 to 31.');
}
