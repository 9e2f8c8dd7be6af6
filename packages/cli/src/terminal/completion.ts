import type { Command, Option } from 'commander';

/** Shells that {@link completionScript} writes for. */
export const completionShells = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof completionShells)[number];

/** A command by the words that lead to it, with what may follow. */
interface Place {
  readonly words: readonly string[];
  readonly subcommands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly {
    readonly flag: string;
    readonly about: string;
    readonly choices: readonly string[];
  }[];
  /** What its arguments may be, where that is a list. */
  readonly choices: readonly string[];
}

/**
 * A script that completes commands, options and their choices, made from the commands themselves. What is no word of
 * ours is completed as a file name.
 */
export function completionScript(program: Command, shell: CompletionShell): string {
  const places = placesOf(program, []);
  if (shell === 'fish') return fishScript(places);
  return `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${bashScript(places)}`;
}

function placesOf(command: Command, words: readonly string[]): Place[] {
  const subcommands = command.commands.filter(
    ({ _hidden: hidden }: Command & { _hidden?: boolean }) => !hidden,
  );
  const place: Place = {
    words,
    subcommands: subcommands.map(one => ({ name: one.name(), about: one.summary() || one.description() })),
    options: [...command.options, ...helpOption].flatMap(flagsOf),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [place, ...subcommands.flatMap(one => placesOf(one, [...words, one.name()]))];
}

const helpOption = [{ long: '--help', description: 'what this command does' }];

function flagsOf(
  option: Pick<Option, 'description'> & { long?: string | undefined; argChoices?: readonly string[] },
) {
  if (option.long === undefined) return [];
  return [{ flag: option.long, about: option.description, choices: option.argChoices ?? [] }];
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map(({ words, subcommands, options, choices }) => {
    const names = [...subcommands.map(({ name }) => name), ...choices, ...options.map(({ flag }) => flag)];
    return `    '${words.join(' ')}') words='${names.join(' ')}' ;;`;
  });
  const values = places.flatMap(({ words, options }) =>
    options.flatMap(({ flag, choices }) =>
      choices.length === 0 ? [] : [`    '${[...words, flag].join(' ')}') words='${choices.join(' ')}' ;;`],
    ),
  );
  const known = places.map(({ words }) => `'${words.join(' ')}'`).join('|');
  return `_manypath() {
  local word at='' words='' current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${at:+$at }$word" in
    ${known}) at="\${at:+$at }$word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  case "\${at:+$at }$before" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _manypath manypath
`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ words, subcommands, options }) => {
    const names = subcommands.map(({ name }) => name).join(' ');
    const seen = words.map(word => `__fish_seen_subcommand_from ${word}`);
    const alone = names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`];
    const condition = [...seen, ...alone].join('; and ');
    const where = condition === '' ? '' : ` -n '${condition}'`;
    return [
      ...subcommands.map(
        ({ name, about }) => `complete -c manypath -f${where} -a ${name} -d '${quoted(about)}'`,
      ),
      ...options.map(({ flag, about, choices }) => {
        const wanted = choices.length === 0 ? '' : ` -x -a '${choices.join(' ')}'`;
        return `complete -c manypath${where} -l ${flag.slice(2)}${wanted} -d '${quoted(about)}'`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return text.replaceAll('\n', ' ').replaceAll('\\', '\\\\').replaceAll("'", "\\'");
}
