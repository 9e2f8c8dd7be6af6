import { describe, expect, it } from 'vitest';
import { Condition } from '../src/index.ts';

function condition() {
  const said: string[] = [];
  const logger = {
    warn: (_: object, message: string) => void said.push(message),
    info: (_: object, message: string) => void said.push(message),
  };
  return { said, disk: new Condition(logger, 'well again') };
}

describe('a condition', () => {
  it('is said once, whoever meets it and however often, and once when it is over for all', () => {
    const { said, disk } = condition();
    for (const who of ['one', 'other', 'one']) disk.begins(who, {}, 'the disk is full');
    expect(said).toEqual(['the disk is full']);
    disk.ends('one');
    expect(disk.isThere).toBe(true);
    expect(said).toHaveLength(1);
    disk.ends('other');
    disk.ends('other');
    expect(said).toEqual(['the disk is full', 'well again']);
    disk.begins('one', {}, 'the disk is full again');
    expect(said).toHaveLength(3);
  });

  it('that nobody met is not over', () => {
    const { said, disk } = condition();
    disk.ends('one');
    expect(said).toEqual([]);
  });
});
