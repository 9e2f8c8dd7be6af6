import type { Overview } from '@manypath/core';

/** How it stands with the relay, in a few words. */
export function relayWords({ address, state, reason }: NonNullable<Overview['relay']>): string {
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
