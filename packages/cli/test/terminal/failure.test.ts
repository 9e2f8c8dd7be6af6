import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ManypathError } from '@manypath/core';
import { describe, expect, it } from 'vitest';
import { describeFailure } from '../../src/terminal/failure.ts';
import { ownCommand, ownCommandAfterSudo, withOwnCommand } from '../../src/terminal/own-command.ts';
import { wrapText } from '../../src/terminal/wrap.ts';

class Sample extends ManypathError {
  constructor(message: string, options: { cause?: unknown; hint?: string } = {}) {
    super('MANYPATH_SAMPLE', message, options);
  }
}

describe('a text that is broken into lines', () => {
  it('keeps the blanks before a paragraph, also where its first word is longer than a line', () => {
    const long = 'x'.repeat(30);
    expect(wrapText(`said:\n  ${long} and more words of it`, { next: '  ', columns: 20 })).toEqual([
      'said:',
      `    ${long}`,
      '    and more words',
      '    of it',
    ]);
  });
});

describe('what a person is told of a failure', () => {
  it('has no line of more than 80 columns, and breaks between words only', () => {
    const words = Array.from({ length: 60 }, (_, index) => `word${index}`);
    const told = describeFailure(new Sample(words.join(' '), { hint: words.join(' ') }), 80);
    expect(told.split('\n').filter(line => line.length > 80)).toEqual([]);
    expect(told.match(/\bword\d+\b/g)).toEqual([...words, ...words]);
    expect(told).toContain('[MANYPATH_SAMPLE]');
  });

  it('has no stack trace because of what lies underneath', () => {
    const told = describeFailure(
      new Sample('it cannot be read', { cause: new SyntaxError('Unexpected token') }),
    );
    expect(told).toBe('manypath: it cannot be read [MANYPATH_SAMPLE]\n  because: Unexpected token');
  });

  it('says a cause once, where the message says it already', () => {
    const told = describeFailure(
      new Sample('it cannot be read: no such file', { cause: new Error('no such file') }),
    );
    expect(told).not.toContain('because');
  });

  it('has the stack of an error that is a defect of ours', () => {
    expect(describeFailure(new TypeError('undefined is not a function'))).toMatch(
      /^manypath: TypeError.*\n\s+at /,
    );
  });

  it('names every address that was tried in vain', () => {
    const cause = new AggregateError([new Error('192.0.2.1 is silent'), new Error('192.0.2.2 refuses')]);
    expect(describeFailure(new Sample('no address answers', { cause })).split('\n').slice(1)).toEqual([
      '  because: 192.0.2.1 is silent',
      '  because: 192.0.2.2 refuses',
    ]);
  });
});

describe('the command that a hint names', () => {
  it('is the one by which the person started this', () => {
    expect(withOwnCommand('run `manypath relay`, or sudo manypath helper', './manypath')).toBe(
      'run `./manypath relay`, or sudo ./manypath helper',
    );
  });

  it('is left alone in paths, and where no command is meant', () => {
    for (const text of ['/usr/bin/manypath relay', 'Multipath for manypath users', '@x/manypath up']) {
      expect(withOwnCommand(text, './manypath')).toBe(text);
    }
  });

  it('is manypath where nothing else is known, or what is known could not be typed', () => {
    expect(ownCommand({})).toBe('manypath');
    expect(ownCommand({ MANYPATH_COMMAND: 'a b; c' })).toBe('manypath');
    expect(ownCommand({ MANYPATH_COMMAND: './manypath' })).toBe('./manypath');
  });

  it('hands sudo the way to a program that it would not find', () => {
    const home = mkdtempSync(join(tmpdir(), 'manypath-own-command-'));
    try {
      writeFileSync(join(home, 'manypath'), '');
      const there = ownCommandAfterSudo({ PATH: `/nowhere:${home}:/usr/bin` });
      expect(there).toBe('env "PATH=$PATH" manypath');
      expect(withOwnCommand('run sudo manypath helper, then manypath up', 'manypath', there)).toBe(
        'run sudo env "PATH=$PATH" manypath helper, then manypath up',
      );
      expect(ownCommandAfterSudo({ PATH: '/nowhere' })).toBe('manypath');
      expect(ownCommandAfterSudo({ PATH: home, MANYPATH_COMMAND: './manypath' })).toBe('./manypath');
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});

describe('a text in lines', () => {
  it('keeps a word that is longer than a line whole, so that it can be copied', () => {
    const address = `https://${'x'.repeat(100)}`;
    expect(wrapText(`see ${address} for more`, { columns: 20 })).toEqual(['see', address, 'for more']);
  });

  it('keeps its own line breaks, and begins every line after the first as it is told', () => {
    expect(wrapText('one two\nthree', { lead: '- ' })).toEqual(['- one two', '  three']);
  });
});
