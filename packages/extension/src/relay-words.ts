import { type Overview, waitingWords } from '@manypath/core';

/** How it stands with the relay, in a few words. */
export function relayWords({ address, state, reason, waiting }: NonNullable<Overview['relay']>): string {
  if (waiting !== null) return `${address}: ${waitingWords(waiting)}`;
  switch (state) {
    case 'ready':
      return `${address}, connected`;
    case 'connecting':
      return `${address}, connecting …`;
    case 'away':
      return `${address} is not reached${because(reason)}`;
    case 'refused':
      return `${address} refuses this pairing${because(reason)}`;
  }
}

function because(reason: string | null): string {
  return reason === null ? '' : `: ${reason}`;
}
