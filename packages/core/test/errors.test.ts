import { describe, expect, it } from 'vitest';
import { errorCode, errorMessage, ManypathError } from '../src/index.ts';

class ExampleError extends ManypathError {
  constructor(options?: { cause?: unknown; hint?: string }) {
    super('EXAMPLE', 'something is wrong', options);
  }
}

describe('an error', () => {
  it('has the name of its class, a code, a hint and a cause', () => {
    const cause = new Error('below');
    const error = new ExampleError({ cause, hint: 'do this' });
    expect(error).toMatchObject({ name: 'ExampleError', code: 'EXAMPLE', hint: 'do this', cause });
    expect(error).toBeInstanceOf(Error);
    expect('cause' in new ExampleError()).toBe(false);
    expect(new ExampleError().hint).toBe(undefined);
  });

  it('is known also when another copy of the package made it', () => {
    expect(ManypathError.is(new ExampleError())).toBe(true);
    expect(ManypathError.is({ [Symbol.for('manypath.error')]: true })).toBe(true);
    for (const value of [new Error('x'), { code: 'EXAMPLE' }, null, undefined, 'x', 1]) {
      expect(ManypathError.is(value)).toBe(false);
    }
  });
});

describe('anything that is thrown', () => {
  it('may have a code and has a message', () => {
    expect(errorCode(new ExampleError())).toBe('EXAMPLE');
    expect(errorCode(Object.assign(new Error('x'), { code: 'ECONNRESET' }))).toBe('ECONNRESET');
    for (const value of [new Error('x'), { code: 5 }, null, undefined, 'x'])
      expect(errorCode(value)).toBe(undefined);
    expect(errorMessage(new Error('x'))).toBe('x');
    expect(errorMessage('x')).toBe('x');
    expect(errorMessage(undefined)).toBe('undefined');
  });
});
