import { ManypathError } from '@manypath/core';
import { ConnectError, type FailedAttempt, SystemCallError } from './errors.ts';

/**
 * The one error for a connection for which every attempt failed. A fault of this side that is the same for all of them (no such
 * device, no such option) is told as such.
 */
export function connectFailure(target: string, attempts: readonly FailedAttempt[]): ManypathError {
  const [first] = attempts;
  const own = first !== undefined && isOwn(first.error) ? first.error : undefined;
  if (own !== undefined && attempts.every(({ error }) => isOwn(error) && error.code === own.code)) return own;
  return new ConnectError(target, attempts);
}

function isOwn(error: unknown): error is ManypathError {
  return ManypathError.is(error) && !(error instanceof SystemCallError);
}
