import { Argument, type Command } from 'commander';
import { type CompletionShell, completionScript, completionShells } from '../terminal/completion.ts';
import { manPage } from '../terminal/man-page.ts';

/** `manypath completion`: what makes a shell complete this command line, and its manual page. */
export function addCompletionCommand(program: Command): void {
  program
    .command('completion')
    .summary('print what makes your shell complete these commands, or the manual page')
    .description(
      'Prints a script for your shell:\n' +
        '  manypath completion bash > ~/.local/share/bash-completion/completions/manypath\n' +
        '  manypath completion zsh  >> ~/.zshrc\n' +
        '  manypath completion fish > ~/.config/fish/completions/manypath.fish\n' +
        'man prints the manual page: manypath completion man | man -l -',
    )
    .addArgument(new Argument('<shell>', 'which one, or man').choices([...completionShells, 'man']))
    .action((shell: CompletionShell | 'man') => {
      process.stdout.write(shell === 'man' ? manPage(program) : completionScript(program, shell));
    });
}
