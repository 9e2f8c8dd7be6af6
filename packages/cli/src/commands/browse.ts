import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { errorCode, type Logger, type MultipathUse } from '@manypath/core';
import { Gateway, type GatewayOptions } from '@manypath/gateway';
import { type Command, Option } from 'commander';
import { BackgroundFailures } from '../background-failures.ts';
import { browse, browseHelp, findBrowser } from '../browser/index.ts';
import { type CommonOptions, withCommonOptions } from '../common-options.ts';
import { configPlace, withConfigOption } from '../config/index.ts';
import { offerHelper } from '../helper-offer/index.ts';
import { writeNativeHost } from '../install/index.ts';
import { openPaths } from '../open-paths.ts';
import { extensionFolder } from '../own-files.ts';
import { RelayChoice, withRelayOption } from '../pairing/index.ts';
import { stateFolder } from '../state-folder.ts';
import { offerPrograms, requirePrograms } from '../system-packages.ts';
import { EventOutput } from '../terminal/events.ts';
import { createLogger } from '../terminal/log.ts';
import { isHindered } from '../terminal/multipath-text.ts';
import { interfaceNames } from '../terminal/option-values.ts';

interface BrowseCommandOptions extends CommonOptions {
  relay?: string | false;
  failover?: 'refuse' | 'straight';
  config?: string;
  paths?: string[];
  headless: boolean;
  isolate: boolean;
  profile?: string;
  browser?: string;
  localName: string[];
}

/** `manypath browse`: an unmodified Chromium whose every TCP connection goes through a gateway. */
export function addBrowseCommand(program: Command): void {
  withRelayOption(withConfigOption(withCommonOptions(program.command('browse'))))
    .summary('open an unmodified Chromium whose every TCP connection goes over all your paths')
    .description(
      'Starts a gateway and opens Chromium, Chrome, Brave or Edge on it, in a network namespace of\n' +
        'its own, so that no change of a link or address breaks off what it is loading.\n' +
        "The exit code is the browser's. Arguments after -- are for the browser.",
    )
    .argument('[url]', 'the page to open')
    .argument('[browser-arguments...]', 'arguments for the browser, after --')
    .addOption(
      new Option(
        '--failover <what>',
        'while the relay is away: refuse connections, or let them go straight',
      ).choices(['refuse', 'straight']),
    )
    .option('--paths <names>', 'use only these interfaces, separated by commas', interfaceNames)
    .option('--headless', 'without a window', false)
    .option('--no-isolate', "stay in this machine's network: link changes then break off HTTP/2 downloads")
    .option('--profile <name>', 'keep the profile under this name (default: a fresh one, removed at the end)')
    .option('--browser <path>', 'which browser to start')
    .option(
      '--local-name <pattern>',
      'a name that leads to your local network, e.g. *.corp.example',
      collect,
      [],
    )
    .addHelpText('after', browseHelp === '' ? '' : `\n${browseHelp}`)
    .action(runBrowse);
}

async function runBrowse(
  first: string | undefined,
  rest: readonly string[],
  options: BrowseCommandOptions,
): Promise<void> {
  await requirePrograms(['setpriv']);
  // Without these the browser still opens, and says what is lost.
  if (options.isolate) await offerPrograms(['unshare', 'nsenter', 'ip', 'nft']);
  await requireBrowser(options.browser);
  const { url, extra } = splitArguments(first, rest);
  const logger = createLogger(options.logLevel, options.json);
  const failures = BackgroundFailures.watch(logger);
  const stateDir = stateFolder(options.state);
  await offerHelper({ stateDir, json: options.json });
  const opened = await openPaths({
    names: options.paths,
    stateDir,
    logger,
    config: configPlace(options.config),
    relay: RelayChoice.of(options.relay, stateDir, logger),
    failover: options.failover,
  });
  failures.beforeEnd(() => opened.close());
  const localNames = [...options.localName, ...(opened.config.local ?? [])];
  try {
    const gateway = await startGateway(stateDir, {
      ...opened.forGateway,
      listen: { host: '127.0.0.1', port: 0 },
      protectLocal: true,
      straightPort: true,
      localNames,
      logger,
    });
    opened.follow(gateway);
    sayWhatHinders(gateway.status().multipath, logger);
    try {
      process.exitCode = await browse({
        gateway,
        stateDir,
        url,
        headless: options.headless,
        isolate: options.isolate,
        profile: options.profile,
        browser: options.browser,
        localNames,
        onIsolation: isolation => opened.noteIsolation(isolation),
        extension: profile => extensionFor(profile, gateway.stateDir),
        chromiumArguments: extra,
        logger,
        events: new EventOutput(options.json),
        signal: gateway.stopRequested,
      });
    } finally {
      await gateway.close();
    }
  } finally {
    await opened.close();
  }
}

function sayWhatHinders(use: MultipathUse, logger: Logger): void {
  if (isHindered(use)) logger.warn(use.command === null ? {} : { command: use.command }, use.text);
}

/** Lets the extension in this profile find its gateway. @returns Where the extension is, if it is built. */
function extensionFor(profile: string, stateDir: string): string | undefined {
  const { folder, built } = extensionFolder();
  if (!built) return undefined;
  writeNativeHost(resolve(profile), resolve(stateDir));
  return folder;
}

/** On a fresh machine Chromium is installed; one that was named must be there. */
async function requireBrowser(chosen: string | undefined): Promise<void> {
  try {
    findBrowser({ chosen });
  } catch (error) {
    if (errorCode(error) !== 'MANYPATH_BROWSER_NOT_FOUND' || chosen !== undefined) throw error;
    await requirePrograms(['chromium']);
  }
}

/**
 * Drivers start a browser with switches alone, as if `manypath browse` were Chromium: whatever begins with a dash is
 * the browser's, and so is all that follows it.
 */
function splitArguments(
  first: string | undefined,
  rest: readonly string[],
): { url?: string; extra: string[] } {
  if (first === undefined) return { extra: [] };
  return first.startsWith('-') ? { extra: [first, ...rest] } : { url: first, extra: [...rest] };
}

/** Several browsers may run at once: only the first is asked by `manypath status` without a state folder of its own. */
async function startGateway(stateDir: string, options: Omit<GatewayOptions, 'stateDir'>): Promise<Gateway> {
  try {
    return await Gateway.start({ ...options, stateDir });
  } catch (error) {
    if (errorCode(error) !== 'MANYPATH_GATEWAY_RUNNING') throw error;
    const own = join(stateDir, `browse-${process.pid}`);
    process.once('exit', () => rmSync(own, { recursive: true, force: true }));
    options.logger?.info(
      { state: own },
      'another gateway runs, and is the one that manypath status shows; this one is shown with --state',
    );
    return Gateway.start({ ...options, stateDir: own });
  }
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
