import type { MultipathUse } from '@manypath/core';
import { withOwnCommand } from './own-command.ts';

/** How connections use the paths, and on a line of its own what to run where that mends it. */
export function multipathLines({ text, command }: Pick<MultipathUse, 'text' | 'command'>): string {
  return command === null ? text : `${text}\n  To use all: ${withOwnCommand(command)}`;
}

/** Whether there is something that should be said without being asked: what only comes with time is not. */
export function isHindered({ reason }: Pick<MultipathUse, 'reason'>): boolean {
  return reason !== 'multipath' && reason !== 'relay-away' && reason !== 'one-subflow';
}
