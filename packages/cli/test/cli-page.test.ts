import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../src/program.ts';

const page = readFileSync(new URL('../../../docs/CLI.md', import.meta.url), 'utf8');

/** What every long-running command has is told once. */
const common = ['--json', '--state', '--log-level', '--config'];

/** The part of the page from a command's heading to the next one. */
function section(command: string): string {
  const start = page.search(new RegExp(`^## .*\\bmanypath ${command}\\b`, 'm'));
  if (start < 0) return '';
  const next = page.indexOf('\n## ', start + 1);
  return page.slice(start, next < 0 ? undefined : next);
}

function optionsOf(command: Command): string[] {
  const own = command.options.flatMap(({ long }) => (long === null || long === undefined ? [] : [long]));
  return [...own, ...command.commands.flatMap(optionsOf)];
}

describe('docs/CLI.md', () => {
  it.each(createProgram().commands.map(command => [command.name(), command] as const))(
    'has %s, with every option and subcommand it has',
    (name, command) => {
      const text = section(name);
      expect(text).not.toBe('');
      expect(page).toMatch(new RegExp(`^\\| \\[\`${name}\`\\]\\(#manypath-`, 'm'));
      const wanted = optionsOf(command).filter(option => !common.includes(option));
      expect(wanted.filter(option => !text.includes(option))).toEqual([]);
      expect(command.commands.map(one => one.name()).filter(one => !text.includes(one))).toEqual([]);
    },
  );

  it('has no option that no command has', () => {
    const all = new Set(['--help', '--version', ...createProgram().commands.flatMap(optionsOf)]);
    const mentioned = [...page.matchAll(/(?<=[`[ ])--[a-z][a-z-]+/g)].map(([option]) => option);
    // Switches of the browser.
    const others = ['--remote-debugging-port', '--remote-debugging-address', '--enable-logging', '--v'];
    expect(mentioned.filter(option => !all.has(option) && !others.includes(option))).toEqual([]);
  });
});
