import { type Command, Option } from 'commander';
import { systemPlaces, uninstall, uninstallText, userPlaces } from '../install/index.ts';
import { EventOutput } from '../terminal/events.ts';

interface UninstallCommandOptions {
  system?: boolean;
  helper?: boolean;
  dryRun?: boolean;
  json?: boolean;
}

/** `manypath uninstall`: the reverse of `manypath install`. */
export function addUninstallCommand(program: Command): void {
  program
    .command('uninstall')
    .summary('remove what manypath install wrote')
    .description(
      'Stops the daemon that manypath install started, and removes the files it wrote\n' +
        'and the folders it made. Pairing, configuration and what was learned stay.',
    )
    .addOption(new Option('--system', 'what was installed for all users; needs root').conflicts('helper'))
    .option('--helper', 'what manypath install --helper wrote; needs root')
    .option('--dry-run', 'only say what would be removed')
    .option('--json', 'print one JSON object a line on stdout')
    .action(runUninstall);
}

function runUninstall(options: UninstallCommandOptions): void {
  const { system = false, helper = false, dryRun = false, json = false } = options;
  const places = system || helper ? systemPlaces() : userPlaces();
  const kind = helper ? 'helper' : 'browsers';
  const removed = uninstall({ places, kind, dryRun });
  const events = new EventOutput(json);
  for (const path of removed.files) events.emit({ event: 'removed', path });
  events.emit({ event: 'uninstalled', dryRun, folders: removed.folders });
  if (!events.enabled) process.stdout.write(uninstallText(removed, kind, dryRun));
}
