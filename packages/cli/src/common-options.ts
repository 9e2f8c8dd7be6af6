import { type Command, Option } from 'commander';
import { type LogLevel, logLevels } from './terminal/log.ts';

/** The options that every command takes. */
export interface CommonOptions {
  json: boolean;
  state?: string;
  logLevel: LogLevel;
}

/** Gives a command the options that all long-running commands share. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON object a line on stdout; logs go to stderr', false)
    .option(
      '--state <dir>',
      'folder for keys, control socket and what was learned (default: ~/.local/state/manypath)',
    )
    .addOption(logLevelOption());
}

/** `--log-level`, for commands that keep no state. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'least important messages to log')
    .choices([...logLevels])
    .default('info');
}
