import type { Argument, Command, Option } from 'commander';

/** The manual page of the whole command line in roff (man(7)), made from the commands themselves. */
export function manPage(program: Command): string {
  const commands = program.commands.filter(command => command.name() !== 'help');
  return [
    `.TH MANYPATH 1 "" "Manypath ${program.version() ?? ''}" "User commands"`,
    '.SH NAME',
    'manypath \\- Multipath TCP for the browser you already have',
    '.SH SYNOPSIS',
    '.B manypath',
    '.I COMMAND',
    '[options]',
    '.SH DESCRIPTION',
    escaped(program.description()),
    '.SH COMMANDS',
    ...commands.flatMap(command => sectionOf(command, command.name())),
    '.SH FILES',
    '.TP',
    '.I ~/.config/manypath/config.json',
    'Tiers, caps, rules and limits.',
    '.TP',
    '.I ~/.local/state/manypath',
    'Keys, the pairing, the control socket and what was learned of paths.',
    '',
  ].join('\n');
}

function sectionOf(command: Command, path: string): string[] {
  return [
    `.SS "manypath ${[path, ...command.registeredArguments.map(usageOf)].join(' ')}"`,
    ...escaped(command.description() || command.summary())
      .split('\n')
      .flatMap(line => (line.startsWith(' ') ? ['.br', line] : [line])),
    ...command.options.flatMap(optionLines),
    ...command.commands.flatMap(one => sectionOf(one, `${path} ${one.name()}`)),
  ];
}

function usageOf(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionLines({ flags, description, argChoices, defaultValue }: Option): string[] {
  const choices = argChoices === undefined ? '' : ` (${argChoices.join(', ')})`;
  const usual =
    typeof defaultValue === 'string' || typeof defaultValue === 'number' ? ` Default: ${defaultValue}.` : '';
  return ['.TP', `.B ${escaped(flags)}`, escaped(`${description}${choices}.${usual}`)];
}

/** No line may begin with a dot or an apostrophe, and hyphens are to be copied as such. */
function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(?=[.'])/gm, '\\&');
}
