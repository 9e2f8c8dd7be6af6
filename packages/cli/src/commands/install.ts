import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import {
  type BrowserName,
  browserNames,
  extensionAdvice,
  helperText,
  type Installation,
  install,
  installHelper,
  installText,
  systemPlaces,
  userPlaces,
} from '../install/index.ts';
import { extensionFolder } from '../own-files.ts';
import { EventOutput } from '../terminal/events.ts';
import { withOwnCommand } from '../terminal/own-command.ts';
import { callerOfSudo, collectUser } from '../users.ts';

interface InstallCommandOptions {
  browser?: BrowserName | 'all';
  system?: boolean;
  userDataDir?: string;
  state?: string;
  service?: boolean;
  helper?: boolean;
  user?: number[];
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
    .option('--helper', 'instead, the privileged helper for whoever calls sudo; needs root')
    .option('--user <name or number>', 'with --helper: somebody else it serves; may be repeated', collectUser)
    .option('--user-data-dir <dir>', 'for browsers that are started with this --user-data-dir')
    .option('--state <dir>', 'state folder of the daemon (default: ~/.local/state/manypath)')
    .option('--service', 'write the systemd unit even if systemd does not run here')
    .option('--no-service', 'write no systemd unit')
    .option('--dry-run', 'only say what would be done')
    .option('--json', 'print one JSON object a line on stdout')
    .action(runInstall);
}

function runInstall(options: InstallCommandOptions, command: Command): void {
  checkCombination(options, command);
  const events = new EventOutput(options.json ?? false);
  if (options.helper ?? false) runHelperInstall(options, events);
  else runBrowserInstall(options, events);
}

/** What would be left undone without a word. */
function checkCombination(options: InstallCommandOptions, command: Command): void {
  const forBrowsers = ['browser', 'system', 'userDataDir', 'state', 'service'] as const;
  const idle = options.helper
    ? forBrowsers.filter(name => options[name] !== undefined)
    : options.user === undefined
      ? []
      : (['user'] as const);
  const [first] = idle;
  if (first === undefined) return;
  const flag = command.options.find(option => option.attributeName() === first)?.long ?? first;
  command.error(
    options.helper
      ? `error: ${flag} is not for the helper: install it by a call of its own`
      : `error: ${flag} goes with --helper: who the helper serves`,
  );
}

function runBrowserInstall(options: InstallCommandOptions, events: EventOutput): void {
  const { browser, system = false, service, dryRun = false } = options;
  const userDataDir = options.userDataDir === undefined ? undefined : resolve(options.userDataDir);
  const stateDir = unusualStateDir(options.state);
  const places = system ? systemPlaces() : userPlaces();
  const installation = install({ places, browser, userDataDir, stateDir, service, dryRun });
  const { built } = extensionFolder();
  if (events.enabled) tell(events, installation, { built, dryRun });
  else process.stdout.write(withOwnCommand(installText(installation, { built, dryRun, system })));
}

function tell(
  events: EventOutput,
  { files, targets, service, copy, extension, record }: Installation,
  { built, dryRun }: { built: boolean; dryRun: boolean },
): void {
  for (const file of files) events.emit({ event: 'file', ...file });
  if (copy !== null) events.emit({ event: 'copy', ...copy });
  events.emit({ event: 'service', ...service });
  for (const advice of extensionAdvice(targets, extension)) {
    events.emit({ event: 'extension', folder: extension, built, ...advice });
  }
  events.emit({ event: 'installed', dryRun, record });
}

function runHelperInstall({ user = [], dryRun = false }: InstallCommandOptions, events: EventOutput): void {
  const users = [...callerOfSudo(), ...user];
  const installation = installHelper({ places: systemPlaces(), users, dryRun });
  const { files, program, service, record } = installation;
  for (const file of files) events.emit({ event: 'file', ...file });
  if (program.copy !== null) events.emit({ event: 'copy', folder: program.copy, reason: program.reason });
  events.emit({ event: 'service', ...service });
  events.emit({ event: 'installed', dryRun, users: installation.users, record });
  if (!events.enabled) process.stdout.write(withOwnCommand(helperText(installation, dryRun)));
}

/** Browsers and systemd do not have the environment of this terminal: what it says has to be written down. */
function unusualStateDir(chosen: string | undefined): string | undefined {
  if (chosen !== undefined) return resolve(chosen);
  const stateHome = process.env.XDG_STATE_HOME;
  return stateHome?.startsWith('/') ? join(stateHome, 'manypath') : undefined;
}
