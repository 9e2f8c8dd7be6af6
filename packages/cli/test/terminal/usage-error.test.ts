import { describe, expect, it } from 'vitest';
import { describeWrongCall } from '../../src/terminal/usage-error.ts';

describe('what a person is told of a wrong call', () => {
  it('is told as other errors are, with its code', () => {
    expect(describeWrongCall("error: unknown option '--lisen'\n(Did you mean --listen?)\n", 80)).toBe(
      "manypath: unknown option '--lisen' [MANYPATH_USAGE]\n  (Did you mean --listen?)",
    );
  });

  it('has no line of more than 80 columns', () => {
    const choices = Array.from({ length: 30 }, (_, index) => `choice${index}`).join(', ');
    const told = describeWrongCall(`error: it is invalid. Allowed choices are ${choices}.\n`, 80);
    expect(told.split('\n').filter(line => line.length > 80)).toEqual([]);
    expect(told).toContain('choice29');
  });
});
