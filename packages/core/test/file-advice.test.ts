import { describe, expect, it } from 'vitest';
import { fileAdvice } from '../src/index.ts';

describe('advice about a file', () => {
  const advice = (code: string) =>
    fileAdvice(Object.assign(new Error('refused'), { code }), 'name another one with --state DIR');

  it('tells missing rights, a full disk and one that takes nothing apart', () => {
    expect(advice('EACCES')).toBe(
      'do it as the user whom it belongs to, or name another one with --state DIR',
    );
    expect(advice('ENOSPC')).toBe('make room on that disk, or name another one with --state DIR');
    expect(advice('EROFS')).toBe('nothing can be written on that disk: name another one with --state DIR');
  });

  it('leaves all else to who knows more', () => {
    expect(advice('ENOENT')).toBeUndefined();
    expect(fileAdvice(new Error('damaged'), 'x')).toBeUndefined();
  });
});
