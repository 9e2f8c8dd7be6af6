import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import {
  type BrowserName,
  browserNames,
  extensionAdvice,
  type Installation,
  install,
  installText,
  systemPlaces,
  userPlaces,
} from '../install/index.ts';
import { extensionFolder } from '../own-files.ts';
import { EventOutput } from '../terminal/events.ts';

interface InstallCommandOptions {
  browser?: BrowserName | 'all';
  system?: boolean;
  userDataDir?: string;
  state?: string;
  service?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

/** `manypath install`: what the extension needs in a browser that `manypath browse` did not start. */
export function addInstallCommand(program: Command): void {
  program
    .command('install')
    .summary('make Manypath known to your browsers and have its daemon run')
    .description(
      'Registers the native messaging host of the extension, writes and starts a\n' +
        'systemd user unit for the daemon, and says how to load the extension.\n' +
        'manypath browse does not need it. manypath uninstall removes what was written.',
    )
    .addOption(
      new Option('--browser <name>', 'for this browser (default: all that are installed)').choices([
        ...browserNames,
        'all',
      ]),
    )
    .option('--system', 'for all users of this machine; needs root')
    .option('--user-data-dir <dir>', 'for browsers that are started with this --user-data-dir')
    .option('--state <dir>', 'state folder of the daemon (default: ~/.local/state/manypath)')
    .option('--service', 'write the systemd unit even if systemd does not run here')
    .option('--no-service', 'write no systemd unit')
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print one JSON object a line on stdout')
    .action(runInstall);
}

function runInstall(options: InstallCommandOptions): void {
  const { browser, system = false, service, dryRun = false } = options;
  const userDataDir = options.userDataDir === undefined ? undefined : resolve(options.userDataDir);
  const stateDir = unusualStateDir(options.state);
  const places = system ? systemPlaces() : userPlaces();
  const installation = install({ places, browser, userDataDir, stateDir, service, dryRun });
  const extension = extensionFolder();
  const events = new EventOutput(options.json ?? false);
  if (events.enabled) tell(events, installation, extension, dryRun);
  else process.stdout.write(installText(installation, { extension, dryRun, system }));
}

function tell(
  events: EventOutput,
  { files, targets, service, closed, record }: Installation,
  extension: { folder: string; built: boolean },
  dryRun: boolean,
): void {
  for (const file of files) events.emit({ event: 'file', ...file });
  events.emit({ event: 'service', ...service });
  if (closed !== null) events.emit({ event: 'closed', folder: closed });
  for (const advice of extensionAdvice(targets, extension.folder)) {
    events.emit({ event: 'extension', ...extension, ...advice });
  }
  events.emit({ event: 'installed', dryRun, record });
}

/** Browsers and systemd do not have the environment of this terminal: what it says has to be written down. */
function unusualStateDir(chosen: string | undefined): string | undefined {
  if (chosen !== undefined) return resolve(chosen);
  const stateHome = process.env.XDG_STATE_HOME;
  return stateHome?.startsWith('/') ? join(stateHome, 'manypath') : undefined;
}
