import { errorCode, ManypathError } from '@manypath/core';

/** Exit codes beyond 0 and 1, after sysexits.h. */
export const exitCodes = { usage: 64, unavailable: 69, noPermission: 77 } as const;

/**
 * Tells a person why a command ended: what happened, what to do, and the code to look up.
 *
 * Several causes of one failure (addresses tried in turn) are listed underneath.
 */
export function describeFailure(error: unknown): string {
  const lines = [`manypath: ${messageOf(error)}${codeSuffix(error)}`];
  for (const cause of causesOf(error)) lines.push(`  because: ${messageOf(cause)}${codeSuffix(cause)}`);
  if (ManypathError.is(error) && error.hint !== undefined) lines.push(`  try: ${error.hint}`);
  return lines.join('\n');
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // An error without a code is a defect of ours: its stack is what a report needs.
  return errorCode(error) === undefined ? (error.stack ?? error.message) : error.message;
}

function codeSuffix(error: unknown): string {
  const code = errorCode(error);
  return code === undefined ? '' : ` [${code}]`;
}

function causesOf(error: unknown): unknown[] {
  if (!(error instanceof Error) || error.cause === undefined) return [];
  return error.cause instanceof AggregateError ? error.cause.errors : [error.cause];
}
