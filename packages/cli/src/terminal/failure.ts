import { join } from 'node:path';
import { errorCode, ManypathError } from '@manypath/core';
import { docsFolder } from '../own-files.ts';
import { withOwnCommand } from './own-command.ts';
import { wrapText } from './wrap.ts';

/** Exit codes beyond 0 and 1, after sysexits.h; and what shells say of a program that Ctrl-C ended. */
export const exitCodes = {
  usage: 64,
  unavailable: 69,
  software: 70,
  noPermission: 77,
  interrupted: 130,
} as const;

/** How many causes of causes are told: more is for debuggers. */
const deepest = 4;

/**
 * Tells a person why a command ended: what happened, what to do, and the code to look up.
 *
 * Several causes of one failure (addresses tried in turn) are listed underneath.
 *
 * @param columns Most letters of a line. Default: no limit, so that scripts find a sentence whole.
 */
export function describeFailure(error: unknown, columns: number = Number.POSITIVE_INFINITY): string {
  const lines = [...explain('manypath: ', error, columns), ...becauses(error, columns)];
  if (ManypathError.is(error) && error.hint !== undefined) {
    lines.push(...wrapText(adviceForHere(error.hint), { lead: '  try: ', columns }));
  }
  return lines.join('\n');
}

function explain(lead: string, error: unknown, columns: number): string[] {
  // An error without a code is a defect of ours: its stack is what a report needs.
  if (error instanceof Error && errorCode(error) === undefined)
    return [`${lead}${error.stack ?? error.message}`];
  return wrapText(`${messageOf(error)}${codeSuffix(error)}`, { lead, next: '  ', columns });
}

/** The causes, but for those whose words the message above them has already. */
function becauses(error: unknown, columns: number, depth = 0): string[] {
  if (depth === deepest) return [];
  return causesOf(error).flatMap(cause => {
    const isTold = error instanceof Error && error.message.includes(messageOf(cause));
    const said = isTold
      ? []
      : wrapText(`${messageOf(cause)}${codeSuffix(cause)}`, { lead: '  because: ', columns });
    return [...said, ...becauses(cause, columns, depth + 1)];
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function codeSuffix(error: unknown): string {
  const code = errorCode(error);
  return code === undefined ? '' : ` [${code}]`;
}

function causesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  if (error instanceof AggregateError) return error.errors;
  return error.cause === undefined
    ? []
    : error.cause instanceof AggregateError
      ? error.cause.errors
      : [error.cause];
}

/** Advice names commands and pages as they stand in a clone; people need them as they are on this machine. */
export function adviceForHere(advice: string): string {
  return withOwnCommand(
    advice.replace(/\bdocs\/([A-Z]+\.md)\b/g, (_, page: string) => join(docsFolder, page)),
  );
}
