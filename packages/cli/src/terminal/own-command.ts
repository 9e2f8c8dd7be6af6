import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The commands that a hint may tell somebody to run. */
const commands =
  'demo|browse|up|relay|pair|status|paths|check|doctor|helper|install|uninstall|serve-echo|lab|test|completion|help';

const mentioned = new RegExp(`(?<![\\w/.-])manypath(?= (?:${commands}|--help)\\b)`, 'g');

/**
 * What the person has to type to run this program: `manypath` where that is found on the PATH, else the way it was started,
 * `./manypath` in a clone. The launcher knows, and says so in `MANYPATH_COMMAND`.
 */
export function ownCommand(environment: NodeJS.ProcessEnv = process.env): string {
  const said = environment.MANYPATH_COMMAND;
  return said === undefined || !/^[\w./@+-]+$/.test(said) ? 'manypath' : said;
}

/** Where sudo looks for programs, whatever the caller's PATH says: `secure_path` of the sudoers of Debian, Ubuntu and Fedora. */
const sudoFolders = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/snap/bin',
];

/** What has to stand after `sudo`: who installed Node.js or this in the own home has to hand sudo the way there. */
export function ownCommandAfterSudo(environment: NodeJS.ProcessEnv = process.env): string {
  const command = ownCommand(environment);
  if (command !== 'manypath') return command;
  const folders = (environment.PATH ?? '').split(':');
  const folder = folders.find(one => one.startsWith('/') && existsSync(join(one, command)));
  return folder === undefined || sudoFolders.includes(folder) ? command : `env "PATH=$PATH" ${command}`;
}

/** A text in which every `manypath COMMAND` can be copied into this person's terminal as it stands. */
export function withOwnCommand(
  text: string,
  command: string = ownCommand(),
  afterSudo: string = command === ownCommand() ? ownCommandAfterSudo() : command,
): string {
  return text.replace(mentioned, (_, offset: number) =>
    text.slice(0, offset).endsWith('sudo ') ? afterSudo : command,
  );
}
