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

/** A text in which every `manypath COMMAND` can be copied into this person's terminal as it stands. */
export function withOwnCommand(text: string, command: string = ownCommand()): string {
  return text.replace(mentioned, command);
}
