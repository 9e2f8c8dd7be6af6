import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../../src/program.ts';
import { completionScript } from '../../src/terminal/completion.ts';
import { manPage } from '../../src/terminal/man-page.ts';

/** What bash offers for the last of some words. */
function offered(...words: string[]): string[] {
  const set = `COMP_WORDS=(${['manypath', ...words].map(word => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`;
  const script = `${completionScript(createProgram(), 'bash')}\n${set}\n_manypath\nprintf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter(line => line !== '');
}

describe('completion', () => {
  it('offers commands, and options of the command that was typed', () => {
    expect(offered('stat')).toEqual(['status']);
    expect(offered('up', '--joi')).toEqual(['--join']);
    expect(offered('paths', 'set', '--daily')).toEqual(['--daily-cap']);
  });

  it('offers the choices of an option and of an argument', () => {
    expect(offered('up', '--join', '')).toEqual(['measured', 'at-once']);
    expect(offered('paths', 'set', 'wlan0', 'sec')).toEqual(['secondary']);
  });

  it('is a script that bash and fish can read', () => {
    const script = completionScript(createProgram(), 'bash');
    expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
    const fish = completionScript(createProgram(), 'fish');
    for (const line of fish.trim().split('\n'))
      expect(line).toMatch(/^complete -c manypath( .*)? -d '(\\.|[^'\\])*'$/);
  });
});

describe('the manual page', () => {
  it('has every command with every option', () => {
    const page = manPage(createProgram());
    for (const command of createProgram().commands) {
      expect(page).toContain(`.SS "manypath ${command.name()}`);
      for (const { flags } of command.options) expect(page).toContain(`.B ${flags.replaceAll('-', '\\-')}`);
    }
  });
});
