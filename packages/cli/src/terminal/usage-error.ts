import type { Command } from 'commander';
import { withOwnCommand } from './own-command.ts';
import { columnsOf, wrapText } from './wrap.ts';

const code = 'MANYPATH_USAGE';

/** Has a command and those below it tell of wrong calls as all other errors are told, and where their help is. */
export function explainWrongCalls(command: Command, name: string = command.name()): void {
  command.showHelpAfterError(`  try: ${name} --help`).configureOutput({
    outputError: (text, write) => write(`${describeWrongCall(text, columnsOf(process.stderr))}\n`),
  });
  for (const below of command.commands) explainWrongCalls(below, `${name} ${below.name()}`);
}

/**
 * What a person is told of a wrong call.
 *
 * @param text As Commander says it: `error: …`, and what may have been meant in a second line.
 */
export function describeWrongCall(text: string, columns: number): string {
  const [what = '', ...meant] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n');
  const told = [`${what} [${code}]`, ...meant].join('\n');
  return withOwnCommand(wrapText(told, { lead: 'manypath: ', next: '  ', columns }).join('\n'));
}
