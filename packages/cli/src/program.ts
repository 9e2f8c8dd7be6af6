import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addBrowseCommand } from './commands/browse.ts';
import { addCheckCommand } from './commands/check.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addHelperCommand } from './commands/helper.ts';
import { addInstallCommand } from './commands/install.ts';
import { addLabCommand } from './commands/lab.ts';
import { addPairCommand } from './commands/pair.ts';
import { addPathsCommand } from './commands/paths.ts';
import { addRelayCommand } from './commands/relay.ts';
import { addServeEchoCommand } from './commands/serve-echo.ts';
import { addStatusCommand } from './commands/status.ts';
import { addTestCommand } from './commands/test.ts';
import { addUninstallCommand } from './commands/uninstall.ts';
import { addUpCommand } from './commands/up.ts';
import { ownCommand, withOwnCommand } from './terminal/own-command.ts';
import { explainWrongCalls } from './terminal/usage-error.ts';
import { textColumns } from './terminal/wrap.ts';

/** The command line of Manypath: one file a command under commands/, put together here. */
export function createProgram(): Command {
  const program = new Command(ownCommand())
    .description('Multipath TCP for the browser you already have.')
    .version(version())
    .configureHelp({
      showGlobalOptions: false,
      helpWidth: Math.min(process.stdout.columns ?? textColumns, textColumns),
      // Its arguments are in its own help: here they leave no room for what it does.
      subcommandTerm: command => command.name(),
    })
    .configureOutput({
      writeOut: text => process.stdout.write(withOwnCommand(text)),
      writeErr: text => process.stderr.write(withOwnCommand(text)),
    })
    .enablePositionalOptions()
    .addHelpText('after', '\nStart with: manypath demo\nThen, on your laptop with your VPS: see README.md');
  addDemoCommand(program);
  addBrowseCommand(program);
  addUpCommand(program);
  addRelayCommand(program);
  addPairCommand(program);
  addStatusCommand(program);
  addPathsCommand(program);
  addCheckCommand(program);
  addDoctorCommand(program);
  addHelperCommand(program);
  addInstallCommand(program);
  addUninstallCommand(program);
  addServeEchoCommand(program);
  addLabCommand(program);
  addCompletionCommand(program);
  addTestCommand(program);
  explainWrongCalls(program);
  return program;
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}
